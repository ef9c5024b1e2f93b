//! Docker Official Images: where a file names one without its digest.

use std::collections::BTreeSet;

use regex::Regex;

use super::kind::Kind;

/// The names below docker.io/library: docker-library/official-images at 37079fb3 (21 August 2026), and those
/// that were taken out of it since Content Trust began.
const NAMES: &str = "adminer aerospike almalinux alpine alt amazoncorretto amazonlinux api-firewall arangodb \
    archlinux azul-zulu backdrop bash bonita buildpack-deps busybox caddy cassandra centos chronograf cirros \
    clearlinux clefos clickhouse clojure composer consul convertigo couchbase couchdb crate crux dart debian django \
    docker drupal eclipse-mosquitto eclipse-temurin eggdrop elasticsearch elixir emqx erlang espocrm express-gateway \
    fedora flink fluentd friendica gazebo gcc geonetwork ghost golang gradle groovy haproxy haskell haxe hello-seattle \
    hello-world hipache hitch hola-mundo httpd hylang ibm-semeru-runtimes ibmjava influxdb iojs irssi java jenkins \
    jetty jobber joomla jruby julia kaazing-gateway kapacitor kibana known kong krakend lightstreamer liquibase \
    logstash mageia mariadb matomo maven mediawiki memcached mongo mongo-express mono monica mysql nats \
    nats-streaming neo4j neurodebian nextcloud nginx nim node notary nuxeo odoo open-liberty openjdk opensuse \
    oraclelinux orientdb owncloud percona perl photon php php-zendserver phpmyadmin piwik plone postfixadmin postgres \
    pypy python r-base rabbitmq rails rakudo-star rapidoid redis redmine registry rethinkdb rocket.chat rockylinux \
    ros ruby rust sapmachine satosa sentry silverpeas sl solr sonarqube sourcemage spark spiped storm swarm swift \
    swipl teamspeak telegraf thrift tomcat tomee traefik ubuntu ubuntu-debootstrap ubuntu-upstart unit varnish vault \
    websphere-liberty wordpress xwiki yourls znc zookeeper";

/// What knows official images.
#[derive(Debug)]
pub(super) struct OfficialImages {
    names: BTreeSet<&'static str>,
    from: Regex,
    stage: Regex,
    setting: Regex,
    pull: Regex,
}

impl OfficialImages {
    pub(super) fn new() -> Result<Self, regex::Error> {
        Ok(Self {
            names: NAMES.split_whitespace().collect(),
            from: Regex::new(
                r"(?im)^[ \t]*(?:FROM[ \t]+(?:--platform=\S+[ \t]+)?|COPY[ \t]+(?:--\S+[ \t]+)*--from=)(\S+)",
            )?,
            stage: Regex::new(r"(?im)^[ \t]*FROM[ \t]+.*[ \t]AS[ \t]+(\S+)")?,
            setting: Regex::new(
                r#"(?m)(?:^|[\s{,-])["']?(?:image|container|base_image|baseImage)["']?[ \t]*(?:[:=][ \t]*|[ \t]["'])(?:\r?\n[ \t]+(?:name|image)[ \t]*:[ \t]*)?["']?([^\s"',}]+)|docker://([^\s"']+)"#,
            )?,
            pull: Regex::new(
                r"\bdocker[ \t]+(?:image[ \t]+|container[ \t]+)?(?:pull|run|create)\b([^\n;&|]*)",
            )?,
        })
    }

    /// Whether a text may name any image at all.
    pub(super) fn may_be_in(kind: &Kind, text: &str) -> bool {
        kind.is_dockerfile || kind.is_configuration || text.contains("docker")
    }

    /// Where a text names an official image that it does not pin.
    pub(super) fn places(&self, kind: &Kind, masked: &str) -> Vec<usize> {
        let mut found = Vec::new();
        if kind.is_dockerfile {
            let stages = self.stage.captures_iter(masked).filter_map(|stage| stage.get(1));
            let stages: BTreeSet<&str> = stages.map(|stage| stage.as_str()).collect();
            let images = self.from.captures_iter(masked).filter_map(|from| from.get(1));
            let images = images.filter(|image| !stages.contains(image.as_str()));
            found
                .extend(images.filter(|image| self.is_official(image.as_str())).map(|i| i.start()));
        } else if kind.is_configuration {
            let images = self.setting.captures_iter(masked);
            let images = images.filter_map(|setting| setting.get(1).or_else(|| setting.get(2)));
            found
                .extend(images.filter(|image| self.is_official(image.as_str())).map(|i| i.start()));
        }
        for rest in self.pull.captures_iter(masked).filter_map(|pull| pull.get(1)) {
            let words = rest.as_str().split([' ', '\t', '"', '\'']);
            let mut at = rest.start();
            for word in words {
                // Of an option's value and a command in the image, neither has a tag that looks like one.
                if self.is_official(word) && (word.contains(':') || is_alone(rest.as_str(), word)) {
                    found.push(at);
                    break;
                }
                at = at.saturating_add(word.len()).saturating_add(1);
            }
        }
        found
    }

    fn is_official(&self, image: &str) -> bool {
        let image = image.trim_end_matches([')', '`', '\\']);
        if image.contains(['@', '$', '{', '<']) {
            return false;
        }
        let hub = ["docker.io/", "index.docker.io/", "registry-1.docker.io/"];
        let below_hub = hub.into_iter().find_map(|hub| image.strip_prefix(hub));
        let path = below_hub.unwrap_or(image);
        let library = path.strip_prefix("library/");
        let name = library.unwrap_or(path);
        let (name, tag) = name.split_once(':').unwrap_or((name, ""));
        let is_tag = tag.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        let is_surely = library.is_some() && !name.is_empty() && !name.contains('/');
        is_tag && (is_surely || self.names.contains(name))
    }
}

/// Whether a word is the only one but options, as in `docker pull -q alpine`.
fn is_alone(text: &str, word: &str) -> bool {
    let mut words = text.split_whitespace().filter(|word| !word.starts_with('-'));
    words.next() == Some(word) && words.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_dockers_own_are_told_from_others() {
        let images = OfficialImages::new().unwrap();
        let official = [
            "alpine",
            "alpine:3.20",
            "docker.io/alpine",
            "library/anything:1",
            "docker.io/library/node:22-slim",
        ];
        let others = [
            "acme/alpine",
            "ghcr.io/library/node",
            "alpine@sha256:00",
            "$BASE",
            "scratch",
            "web",
            "redis:/data",
        ];
        assert!(official.iter().all(|image| images.is_official(image)));
        for image in others {
            assert!(!images.is_official(image), "{image}");
        }
    }

    #[test]
    fn a_run_names_its_image_and_not_its_command() {
        let kind = Kind::of("a.sh", "").unwrap();
        let images = OfficialImages::new().unwrap();
        let count = |text: &str| images.places(&kind, text).len();
        assert_eq!(count("docker run --rm -v x:/y alpine:3 bash"), 1);
        assert_eq!(count("docker pull alpine"), 1);
        assert_eq!(count("docker pull -q alpine && docker pull node:22"), 2);
        assert_eq!(count("docker run --rm acme/tool python"), 0);
        assert_eq!(count("docker run --name redis acme/redis:1"), 0);
    }
}
