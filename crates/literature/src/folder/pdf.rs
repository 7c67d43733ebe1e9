//! PDF files: a page is a document.
//!
//! In: a file's bytes. Out: the text of its pages, or a message. The reader below is written for good files; what it does
//! with others is a panic at best, which is caught here, and at worst the end of the process: a program reads PDFs in a
//! process of its own. Pictures of text are not read.

use std::thread;

use crate::document::{Document, Kind};

/// The stack of the thread that reads: nesting in a file is recursion in the reader.
const STACK: usize = 256 << 20;

/// The text of each page of a PDF, empty where a page cannot be read.
///
/// # Errors
/// A message: it is encrypted, broken, or has no text.
pub fn pages(bytes: &[u8]) -> Result<Vec<String>, String> {
    thread::scope(|scope| {
        let reading = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || read(bytes));
        let reading = reading.map_err(|error| format!("cannot start a thread to read it: {error}"))?;
        reading.join().unwrap_or_else(|_| Err(broken("the reader gave up")))
    })
}

fn broken(why: &str) -> String {
    format!("expected a PDF that can be read, found a broken one ({why})")
}

fn read(bytes: &[u8]) -> Result<Vec<String>, String> {
    let encrypted = || "expected a PDF that can be read, found one that asks for a password".to_owned();
    let mut pdf = pdf_extract::Document::load_mem(bytes).map_err(|error| match error {
        pdf_extract::Error::Decryption(_) | pdf_extract::Error::InvalidPassword => encrypted(),
        error => broken(&error.to_string()),
    })?;
    if pdf.is_encrypted() && pdf.decrypt("").is_err() {
        return Err(encrypted());
    }
    let pages: Vec<String> = pdf.get_pages().keys().map(|page| page_text(&pdf, *page)).collect();
    if pages.iter().all(|page| page.trim().is_empty()) {
        return Err("expected a PDF with text, found none in it; is it made of pictures?".to_owned());
    }
    Ok(pages)
}

/// The text of a page; a page that breaks the reader has none, and the others are read.
fn page_text(pdf: &pdf_extract::Document, page: u32) -> String {
    let read = || {
        let mut text = String::new();
        let mut output = pdf_extract::PlainTextOutput::new(&mut text);
        pdf_extract::output_doc_page(pdf, &mut output, page).is_ok().then_some(text)
    };
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)).ok().flatten().unwrap_or_default()
}

/// The pages with text as documents, and which have none.
pub(super) fn documents(name: &str, source: &str, pages: &[String]) -> (Vec<Document>, Option<String>) {
    let is_empty = |page: &str| page.trim().is_empty();
    let document = |(number, text): (usize, &String)| {
        let (key, source) = (format!("{name}, page {number}"), format!("{source}, page {number}"));
        Document { text: text.clone(), ..Document::new(Kind::File, &key, name, &source) }
    };
    let documents = (1..).zip(pages).filter(|(_, text)| !is_empty(text)).map(document).collect();
    let empty: Vec<String> =
        (1..).zip(pages).filter(|(_, text)| is_empty(text)).map(|(number, _): (usize, _)| number.to_string()).collect();
    let trouble = (!empty.is_empty()).then(|| {
        let few = empty.iter().take(10).cloned().collect::<Vec<_>>().join(", ");
        format!(
            "no text on {} of {} pages: {few}{}",
            empty.len(),
            pages.len(),
            if empty.len() > 10 { " ..." } else { "" }
        )
    });
    (documents, trouble)
}
