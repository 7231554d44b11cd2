//! The options for opening a model.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[cfg(doc)]
use super::HAS_STARTER;
use super::MinSpeed;
use super::environment::{Variables, is_true};
#[cfg(doc)]
use crate::starter::Starter;
use crate::{Error, Result, input, limits};

/// The options for opening a model: the hub, its cache, and the starter's folder.
///
/// The library itself reads no environment variables; a program passes them in
/// ([`from_vars`](Self::from_vars)).
///
/// ```
/// use std::time::Duration;
///
/// use interrogate::models::Options;
///
/// let options =
///     Options { retries: 2, timeout: Duration::from_secs(10), ..Options::new("/data/cache") };
/// assert_eq!(options.endpoint, "https://huggingface.co");
/// ```
///
/// It does not implement `Debug`, so that no log contains the token:
///
/// ```compile_fail,E0277
/// fn print(_: impl std::fmt::Debug) {}
/// print(interrogate::models::Options::new("cache"));
/// ```
#[derive(Clone)]
pub struct Options {
    /// The cache folder for downloads, in the layout of Hugging Face's own libraries
    /// (`models--owner--name/...`), so both use each other's files.
    pub cache: PathBuf,
    /// The hub's URL, without a trailing slash.
    pub endpoint: String,
    /// The access token for private and gated repositories. It is sent only to the endpoint,
    /// and not to the hosts that it redirects to.
    pub token: Option<String>,
    /// The URL of a proxy; `None` connects directly.
    pub proxy: Option<String>,
    /// Hosts that bypass the proxy, separated by commas: names, which include their subdomains,
    /// or `*` for all.
    pub no_proxy: String,
    /// Why downloads are not allowed; `None` if they are. Cached files are used either way.
    pub offline: Option<Offline>,
    /// How many times a failed request is retried.
    pub retries: u32,
    /// How long to wait for a connection, a response, or the next bytes.
    pub timeout: Duration,
    /// The minimum speed of a download; a slower one is ended and retried.
    pub min_speed: MinSpeed,
    /// Ends a download once it is true, at the next bytes that arrive: the call returns
    /// [`Error::Interrupted`], and the next one resumes the download.
    pub cancel: Option<Arc<AtomicBool>>,
    /// The folder to open the starter from, a copy of this repository's
    /// `crates/interrogate/weights` ([`Starter::open`]). It is preferred to compiled-in files
    /// ([`HAS_STARTER`]); `None` opens those. No variable sets it.
    pub starter: Option<PathBuf>,
}

/// Why downloads are not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Offline {
    /// This environment variable forbids them.
    Variable(&'static str),
    /// The model's name is recorded in a file, such as an index's manifest, and was not given
    /// by the user.
    Recorded,
}

impl Options {
    /// Returns the defaults: the public hub, no token, no proxy, 5 retries, a timeout of 60 s.
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Options {
            cache: cache.into(),
            endpoint: "https://huggingface.co".to_owned(),
            token: None,
            proxy: None,
            no_proxy: String::new(),
            offline: None,
            retries: 5,
            timeout: Duration::from_secs(60),
            min_speed: MinSpeed::default(),
            cancel: None,
            starter: None,
        }
    }

    /// Returns an error if downloads are to end.
    pub(super) fn check_cancelled(&self) -> Result<()> {
        match &self.cancel {
            Some(cancel) if cancel.load(Ordering::Relaxed) => Err(Error::Interrupted),
            _ => Ok(()),
        }
    }

    /// Reads environment variables like `huggingface_hub` 2.4 (`constants.py`,
    /// `utils/_auth.py`). `var` returns a variable's value; an empty value counts as unset.
    ///
    /// | option | variables; the first that is set is used |
    /// |---|---|
    /// | cache | `HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE`, `hub` in `HF_HOME`, `huggingface/hub` in `XDG_CACHE_HOME`, `~/.cache/huggingface/hub` |
    /// | hub | `HF_ENDPOINT` |
    /// | token | `HF_TOKEN`, `HUGGING_FACE_HUB_TOKEN`, the file `HF_TOKEN_PATH`, the file `token` in `HF_HOME`; none if `HF_HUB_DISABLE_IMPLICIT_TOKEN` is true |
    /// | offline | `HF_HUB_OFFLINE`, `TRANSFORMERS_OFFLINE`, if true: 1, ON, YES or TRUE |
    /// | proxy | `https_proxy`, `HTTPS_PROXY` (for an `http:` hub `http_proxy`, `HTTP_PROXY`), `all_proxy`, `ALL_PROXY`; `no_proxy`, `NO_PROXY` |
    ///
    /// In paths, `~`, `$NAME` and `${NAME}` are expanded.
    ///
    /// ```
    /// use interrogate::models::Options;
    ///
    /// let options = Options::from_vars(|name| (name == "HF_HOME").then(|| "/data/hf".into()));
    /// assert_eq!(options.cache, std::path::Path::new("/data/hf/hub"));
    /// ```
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Self {
        let vars = Variables::new(&var);
        let home = vars.path("HF_HOME").unwrap_or_else(|| {
            vars.path("XDG_CACHE_HOME")
                .unwrap_or_else(|| vars.home().join(".cache"))
                .join("huggingface")
        });
        let cache = vars.path("HF_HUB_CACHE").or_else(|| vars.path("HUGGINGFACE_HUB_CACHE"));
        let mut options = Options::new(cache.unwrap_or_else(|| home.join("hub")));
        if let Some(endpoint) = vars.get("HF_ENDPOINT") {
            options.endpoint = endpoint.trim_end_matches('/').to_owned();
        }
        let implicit = !vars.get("HF_HUB_DISABLE_IMPLICIT_TOKEN").is_some_and(|it| is_true(&it));
        if implicit {
            let token = vars.first(&["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]);
            let file = || vars.path("HF_TOKEN_PATH").unwrap_or_else(|| home.join("token"));
            options.token = token.and_then(|token| trim(&token)).or_else(|| read_token(&file()));
        }
        let proxies = if options.endpoint.starts_with("http://") {
            ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
        } else {
            ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
        };
        options.proxy = vars.first(&proxies);
        options.no_proxy = vars.first(&["no_proxy", "NO_PROXY"]).unwrap_or_default();
        // The second is read only if the first is not set.
        let mut names = ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"].into_iter();
        let offline = names.find_map(|name| Some((name, vars.get(name)?)));
        options.offline =
            offline.filter(|(_, it)| is_true(it)).map(|(name, _)| Offline::Variable(name));
        options
    }

    /// Returns these options for a model whose name is recorded in a file: cached files are
    /// used, and nothing is downloaded.
    #[must_use]
    pub fn recorded(&self) -> Self {
        let offline = self.offline.or(Some(Offline::Recorded));
        Options { offline, ..self.clone() }
    }
}

/// Reads the token file that `hf auth login` writes, if it exists.
fn read_token(path: &Path) -> Option<String> {
    trim(&input::read_text(path, limits::TOKEN).ok()?)
}

/// Removes line ends and surrounding spaces from a token; `None` if nothing is left.
fn trim(token: &str) -> Option<String> {
    let token = token.replace(['\r', '\n'], "");
    let token = token.trim();
    (!token.is_empty()).then(|| token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(vars: &[(&str, &str)]) -> Options {
        Options::from_vars(|name| {
            vars.iter().find(|(var, _)| *var == name).map(|(_, value)| (*value).to_owned())
        })
    }

    /// Values of huggingface_hub 2.4.0: `python -c "from huggingface_hub import constants;
    /// print(constants.HF_HUB_CACHE)"` in each of these environments.
    #[test]
    fn cache_folder_equals_that_of_huggingface_hub() {
        let me = ("HOME", "/me");
        for (vars, cache) in [
            (&[][..], "/me/.cache/huggingface/hub"),
            (&[("XDG_CACHE_HOME", "/c")], "/c/huggingface/hub"),
            (&[("HF_HOME", "/h"), ("XDG_CACHE_HOME", "/c")], "/h/hub"),
            (&[("HF_HUB_CACHE", "/x"), ("HF_HOME", "/h")], "/x"),
            (&[("HUGGINGFACE_HUB_CACHE", "/y"), ("HF_HOME", "/h")], "/y"),
            (&[("HF_HUB_CACHE", "/x"), ("HUGGINGFACE_HUB_CACHE", "/y")], "/x"),
            (&[("HF_HOME", "~/hf")], "/me/hf/hub"),
            (&[("HF_HOME", "~")], "/me/hub"),
            (&[("HF_HUB_CACHE", "$BIG/hub"), ("BIG", "/big")], "/big/hub"),
            (&[("HF_HUB_CACHE", "~/${BIG}x/$BIG-$GONE"), ("BIG", "b")], "/me/bx/b-$GONE"),
            (&[("HUGGINGFACE_HUB_CACHE", "~/$BIG"), ("BIG", "b")], "/me/b"),
            (&[("XDG_CACHE_HOME", "~/c")], "/me/c/huggingface/hub"),
        ] {
            let cached = with(&[&[me], vars].concat()).cache;
            assert_eq!(cached, Path::new(cache), "{vars:?}");
        }
    }

    #[test]
    fn empty_variable_counts_as_unset() {
        let options = with(&[("HF_TOKEN", ""), ("HF_ENDPOINT", "http://127.0.0.1:9/")]);
        assert_eq!((options.token, options.endpoint.as_str()), (None, "http://127.0.0.1:9"));
    }

    #[test]
    fn token_equals_that_of_huggingface_hub() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap();
        let token = |vars: &[(&str, &str)]| with(&[&[("HF_HOME", home)], vars].concat()).token;
        assert_eq!(token(&[]), None);
        std::fs::write(folder.path().join("token"), " hf_stored\r\n").unwrap();
        std::fs::write(folder.path().join("mine"), "hf_mine\n").unwrap();
        let path = ("HF_TOKEN_PATH", "$HF_HOME/mine");
        assert_eq!(token(&[]).as_deref(), Some("hf_stored"));
        assert_eq!(token(&[path]).as_deref(), Some("hf_mine"));
        assert_eq!(token(&[("HF_TOKEN_PATH", "/gone")]), None);
        let old = ("HUGGING_FACE_HUB_TOKEN", "hf_old");
        assert_eq!(token(&[old, path]).as_deref(), Some("hf_old"));
        assert_eq!(token(&[("HF_TOKEN", "hf_new\n"), old]).as_deref(), Some("hf_new"));
        for yes in ["1", "on", "Yes", "TRUE"] {
            let none = ("HF_HUB_DISABLE_IMPLICIT_TOKEN", yes);
            assert_eq!(token(&[none, ("HF_TOKEN", "hf_new"), old, path]), None);
        }
        let not = ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "0");
        assert_eq!(token(&[not]).as_deref(), Some("hf_stored"));
    }

    #[test]
    fn offline_variables_are_read_like_huggingface_hub() {
        let offline = |vars: &[(&str, &str)]| with(vars).offline;
        let (hub, transformers) = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE");
        for yes in ["1", "on", "Yes", "TRUE"] {
            assert_eq!(offline(&[(hub, yes)]), Some(Offline::Variable(hub)));
            assert_eq!(offline(&[(transformers, yes)]), Some(Offline::Variable(transformers)));
        }
        for no in ["", "0", "off", "no", "false", "2", "y"] {
            assert_eq!(offline(&[(hub, no)]), None, "{no}");
        }
        assert_eq!(offline(&[(hub, "0"), (transformers, "1")]), None);
        assert_eq!(
            offline(&[(hub, ""), (transformers, "1")]),
            Some(Offline::Variable(transformers))
        );
    }

    #[test]
    fn proxy_variable_follows_the_scheme_of_the_endpoint() {
        let proxy = |vars: &[(&str, &str)]| with(vars).proxy.unwrap_or_default();
        let all = [("ALL_PROXY", "all"), ("HTTP_PROXY", "h"), ("HTTPS_PROXY", "s")];
        assert_eq!(proxy(&all), "s");
        assert_eq!(proxy(&all[..2]), "all");
        assert_eq!(proxy(&[("HF_ENDPOINT", "http://hub"), all[0], all[1], all[2]]), "h");
        assert_eq!(proxy(&[("https_proxy", "lower"), ("HTTPS_PROXY", "upper")]), "lower");
        assert_eq!(with(&[("NO_PROXY", "a,.b")]).no_proxy, "a,.b");
    }
}
