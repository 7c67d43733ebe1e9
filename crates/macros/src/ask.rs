//! What stands between the brackets of `design!`.

use genesys_ladder::Scale;
use proc_macro2::Group;
use syn::parse::{Parse, ParseStream};
use syn::{Error, Ident, LitInt, LitStr, Result, Token, Visibility, token};

/// `pub mod gla = "designs/gla.gau", scale = "14M", vocabulary = 256`, or `pub mod tiny { design Tiny { .. } .. }`
#[derive(Debug)]
pub(crate) struct Ask {
    /// Who sees the module.
    pub(crate) visibility: Visibility,
    /// The module's name.
    pub(crate) name: Ident,
    /// The design's text.
    pub(crate) text: Text,
    /// The scale.
    pub(crate) scale: Scale,
    /// The number of tokens.
    pub(crate) vocabulary: u64,
}

/// Where a design's text is.
#[derive(Debug)]
pub(crate) enum Text {
    /// In the file of that path.
    File(LitStr),
    /// Between these braces.
    Here(Group),
}

impl Parse for Ask {
    fn parse(input: ParseStream) -> Result<Self> {
        let visibility = input.parse()?;
        input.parse::<Token![mod]>()?;
        let name = input.parse()?;
        let text = input.parse()?;
        let (mut scale, mut vocabulary) = (None, None);
        while !input.is_empty() {
            input.parse::<Token![,]>()?;
            if input.is_empty() {
                break;
            }
            let option: Ident = input.parse()?;
            input.parse::<Token![=]>()?;
            match option.to_string().as_str() {
                "scale" => scale = Some(rung(&input.parse()?)?),
                "vocabulary" => vocabulary = Some(tokens(&input.parse()?)?),
                other => {
                    let message = format!("expected `scale` or `vocabulary`, found `{other}`");
                    return Err(Error::new(option.span(), message));
                }
            }
        }
        let smallest = || Scale::all().into_iter().next().expect("the ladder has a first rung");
        let scale = scale.unwrap_or_else(smallest);
        let vocabulary = vocabulary.unwrap_or(scale.vocabulary);
        Ok(Self { visibility, name, text, scale, vocabulary })
    }
}

impl Parse for Text {
    fn parse(input: ParseStream) -> Result<Self> {
        if input.peek(token::Brace) {
            return Ok(Self::Here(input.parse()?));
        }
        if !input.peek(Token![=]) {
            return Err(input.error("expected `= \"designs/name.gau\"`, or `{` and the text of a design"));
        }
        input.parse::<Token![=]>()?;
        Ok(Self::File(input.parse()?))
    }
}

/// The scale of a name.
fn rung(name: &LitStr) -> Result<Scale> {
    Scale::named(&name.value()).ok_or_else(|| {
        let names: Vec<String> = Scale::all().into_iter().map(|scale| format!("`{}`", scale.name)).collect();
        Error::new(name.span(), format!("expected one of {}, found `{}`", names.join(", "), name.value()))
    })
}

fn tokens(number: &LitInt) -> Result<u64> {
    match number.base10_parse()? {
        0 => Err(Error::new(number.span(), "expected at least one token, found 0")),
        n => Ok(n),
    }
}
