//! The proxy of a client and the hosts that bypass it.

use crate::models::Options;

/// Builds the proxy of `options`; its `no_proxy` hosts bypass it.
pub(super) fn from_options(options: &Options) -> Result<Option<ureq::Proxy>, ureq::Error> {
    let Some(url) = &options.proxy else { return Ok(None) };
    let proxy = ureq::Proxy::new(url)?;
    let mut hosts = options.no_proxy.split(',').map(str::trim).filter(|host| !host.is_empty());
    let Some(first) = hosts.next() else { return Ok(Some(proxy)) };
    let mut builder = ureq::Proxy::builder(proxy.protocol())
        .host(proxy.host())
        .port(proxy.port())
        .resolve_target(proxy.resolve_target());
    if let Some(name) = proxy.username() {
        builder = builder.username(name);
    }
    if let Some(password) = proxy.password() {
        builder = builder.password(password);
    }
    for host in std::iter::once(first).chain(hosts) {
        let name = host.trim_start_matches('.');
        builder = builder.no_proxy(name).no_proxy(&format!(".{name}"));
    }
    builder.build().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_hosts_bypass_the_proxy() {
        let mut options = Options::new("cache");
        options.proxy = Some("http://me:p%40ss@proxy:3128".to_owned());
        options.no_proxy = "localhost, .example.com,10.0.0.1".to_owned();
        let proxy = from_options(&options).unwrap().unwrap();
        assert_eq!((proxy.host(), proxy.port()), ("proxy", 3128));
        assert_eq!((proxy.username(), proxy.password()), (Some("me"), Some("p@ss")));
        for (url, bypassed) in [
            ("http://localhost/x", true),
            ("https://example.com/", true),
            ("https://hub.example.com/", true),
            ("http://10.0.0.1/", true),
            ("https://huggingface.co/", false),
            ("https://notexample.com/", false),
        ] {
            assert_eq!(proxy.is_no_proxy(&url.parse().unwrap()), bypassed, "{url}");
        }
        options.no_proxy = "*".to_owned();
        let proxy = from_options(&options).unwrap().unwrap();
        assert!(proxy.is_no_proxy(&"https://huggingface.co/".parse().unwrap()));
    }
}
