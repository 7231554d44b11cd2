//! What opening a model from the hub may use.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Pace;
use super::environment::{Variables, is_true};
use crate::{input, limits};

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
    /// Hosts that are reached without the proxy, separated by commas: names, which
    /// cover the names below them, or `*`.
    pub no_proxy: String,
    /// Why nothing may be downloaded; `None` where it may. What is cached is used
    /// either way.
    pub offline: Option<Offline>,
    /// How often a broken transfer is taken up again before it is given up.
    pub retries: u32,
    /// How long to wait for the next bytes.
    pub timeout: Duration,
    /// The least speed of a transfer: slower ones are broken off and taken up again.
    pub pace: Pace,
}

/// Why nothing may be downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Offline {
    /// The environment variable of this name says so.
    Variable(&'static str),
    /// The model is named by a file, such as an index's manifest, and not by whoever
    /// runs the program.
    Recorded,
}

impl Options {
    /// The public hub, neither token nor proxy, five retries, a minute's patience.
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
            pace: Pace::default(),
        }
    }

    /// As `huggingface_hub` 2.4 reads its environment (`constants.py`, `utils/_auth.py`),
    /// through `var`, which gives a variable's value. An empty value is none.
    ///
    /// | what | variables, the first that is set |
    /// |---|---|
    /// | cache | `HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE`, `hub` in `HF_HOME`, `huggingface/hub` in `XDG_CACHE_HOME`, `~/.cache/huggingface/hub` |
    /// | hub | `HF_ENDPOINT` |
    /// | token | `HF_TOKEN`, `HUGGING_FACE_HUB_TOKEN`, the file `HF_TOKEN_PATH`, the file `token` in `HF_HOME`; none where `HF_HUB_DISABLE_IMPLICIT_TOKEN` is true |
    /// | no downloads | `HF_HUB_OFFLINE`, `TRANSFORMERS_OFFLINE`, where true: 1, ON, YES or TRUE |
    /// | proxy | `https_proxy`, `HTTPS_PROXY` (for an `http:` hub `http_proxy`, `HTTP_PROXY`), `all_proxy`, `ALL_PROXY`; `no_proxy`, `NO_PROXY` |
    ///
    /// In paths `~` is the home folder, and `$NAME` and `${NAME}` are variables.
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
            let typed = vars.first(&["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]);
            let file = || vars.path("HF_TOKEN_PATH").unwrap_or_else(|| home.join("token"));
            options.token = typed.and_then(|token| cleaned(&token)).or_else(|| stored(&file()));
        }
        let proxies = match options.endpoint.starts_with("http://") {
            true => ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
            false => ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        };
        options.proxy = vars.first(&proxies);
        options.no_proxy = vars.first(&["no_proxy", "NO_PROXY"]).unwrap_or_default();
        // The second is looked at only where the first is not set.
        let offline = ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"].into_iter();
        let said = offline.filter_map(|name| Some((name, vars.get(name)?))).next();
        options.offline =
            said.filter(|(_, it)| is_true(it)).map(|(name, _)| Offline::Variable(name));
        options
    }

    /// The same for a model that a file names: what is cached, and no download.
    #[must_use]
    pub fn recorded(&self) -> Self {
        let offline = self.offline.or(Some(Offline::Recorded));
        Options { offline, ..self.clone() }
    }
}

/// The token that `hf auth login` has left in a file, where there is one.
fn stored(path: &Path) -> Option<String> {
    cleaned(&input::read_text(path, limits::TOKEN).ok()?)
}

/// A token without the line ends and spaces around it; `None` where nothing is left.
fn cleaned(token: &str) -> Option<String> {
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

    /// Values that huggingface_hub 2.4.0 gives: `python -c "from huggingface_hub import
    /// constants; print(constants.HF_HUB_CACHE)"` under each of these environments.
    #[test]
    fn the_cache_is_where_other_tools_keep_it() {
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
    fn an_empty_variable_is_none() {
        let options = with(&[("HF_TOKEN", ""), ("HF_ENDPOINT", "http://127.0.0.1:9/")]);
        assert_eq!((options.token, options.endpoint.as_str()), (None, "http://127.0.0.1:9"));
    }

    #[test]
    fn a_token_is_found_where_huggingface_hub_finds_it() {
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
    fn offline_is_read_as_huggingface_hub_reads_it() {
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
    fn a_proxy_is_that_of_the_hubs_scheme() {
        let proxy = |vars: &[(&str, &str)]| with(vars).proxy.unwrap_or_default();
        let all = [("ALL_PROXY", "all"), ("HTTP_PROXY", "h"), ("HTTPS_PROXY", "s")];
        assert_eq!(proxy(&all), "s");
        assert_eq!(proxy(&all[..2]), "all");
        assert_eq!(proxy(&[("HF_ENDPOINT", "http://hub"), all[0], all[1], all[2]]), "h");
        assert_eq!(proxy(&[("https_proxy", "lower"), ("HTTPS_PROXY", "upper")]), "lower");
        assert_eq!(with(&[("NO_PROXY", "a,.b")]).no_proxy, "a,.b");
    }
}
