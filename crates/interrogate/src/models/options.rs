//! What opening a model from the hub may use.

use std::path::PathBuf;
use std::time::Duration;

/// What opening a model from the hub may use. The library looks at no
/// environment variable for it: a binary passes what it finds there
/// ([`from_vars`](Self::from_vars)). Not printable, for the token's sake:
///
/// ```compile_fail,E0277
/// fn print(_: impl std::fmt::Debug) {}
/// print(interrogate::models::Options::new("cache"));
/// ```
#[derive(Clone)]
pub struct Options {
    /// The folder of downloads, laid out as Hugging Face's own libraries do
    /// (`models--owner--name/...`), so that both find each other's files.
    pub cache: PathBuf,
    /// The hub's address, without a slash at its end.
    pub endpoint: String,
    /// What opens private and gated repositories. Sent to the endpoint alone,
    /// never to where it redirects.
    pub token: Option<String>,
    /// The proxy to go through, as a URL; `None` goes straight.
    pub proxy: Option<String>,
    /// How often a broken transfer is taken up again before it is given up.
    pub retries: u32,
    /// How long to wait for the next bytes.
    pub timeout: Duration,
}

impl Options {
    /// The public hub, neither token nor proxy, five retries, a minute's patience.
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Options {
            cache: cache.into(),
            endpoint: "https://huggingface.co".to_owned(),
            token: None,
            proxy: None,
            retries: 5,
            timeout: Duration::from_secs(60),
        }
    }

    /// As `huggingface_hub` reads its environment, through `var`, which gives a
    /// variable's value: the cache in `HF_HUB_CACHE`, else `hub` in `HF_HOME`,
    /// else `huggingface/hub` in `XDG_CACHE_HOME` or in `~/.cache`; the hub at
    /// `HF_ENDPOINT`; the token in `HF_TOKEN`; a proxy in `HTTPS_PROXY` or
    /// `https_proxy`. An empty value is none.
    ///
    /// ```
    /// use interrogate::models::Options;
    ///
    /// let options = Options::from_vars(|name| (name == "HF_HOME").then(|| "/data/hf".into()));
    /// assert_eq!(options.cache, std::path::Path::new("/data/hf/hub"));
    /// ```
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Self {
        let var = |name: &str| var(name).filter(|value| !value.is_empty());
        let folder = |name: &str| var(name).map(PathBuf::from);
        let home = || folder("HOME").or_else(|| folder("USERPROFILE")).unwrap_or_default();
        let cache = folder("HF_HUB_CACHE")
            .or_else(|| Some(folder("HF_HOME")?.join("hub")))
            .or_else(|| Some(folder("XDG_CACHE_HOME")?.join("huggingface/hub")))
            .unwrap_or_else(|| home().join(".cache/huggingface/hub"));
        let mut options = Options::new(cache);
        if let Some(endpoint) = var("HF_ENDPOINT") {
            options.endpoint = endpoint.trim_end_matches('/').to_owned();
        }
        options.token = var("HF_TOKEN");
        options.proxy = var("HTTPS_PROXY").or_else(|| var("https_proxy"));
        options
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn with(vars: &[(&str, &str)]) -> Options {
        Options::from_vars(|name| {
            vars.iter().find(|(var, _)| *var == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_cache_is_where_other_tools_keep_it() {
        let cache = |vars: &[(&str, &str)]| with(vars).cache;
        assert_eq!(cache(&[("HOME", "/me")]), Path::new("/me/.cache/huggingface/hub"));
        let xdg = [("HOME", "/me"), ("XDG_CACHE_HOME", "/c")];
        assert_eq!(cache(&xdg), Path::new("/c/huggingface/hub"));
        assert_eq!(cache(&[("HF_HOME", "/h"), ("XDG_CACHE_HOME", "/c")]), Path::new("/h/hub"));
        assert_eq!(cache(&[("HF_HUB_CACHE", "/x"), ("HF_HOME", "/h")]), Path::new("/x"));
    }

    #[test]
    fn an_empty_variable_is_none() {
        let options = with(&[("HF_TOKEN", ""), ("HF_ENDPOINT", "http://127.0.0.1:9/")]);
        assert_eq!((options.token, options.endpoint.as_str()), (None, "http://127.0.0.1:9"));
    }
}
