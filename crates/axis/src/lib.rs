//! Named axes and symbolic sizes: polynomials over the width, with exact division.
