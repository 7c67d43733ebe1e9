//! The intermediate representation: operations over named axes, batch and time; text form and validator.
