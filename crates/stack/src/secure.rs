//! A Kafka that asks who comes: listeners with SASL and TLS beside the plain one, certificates made by the JDK's keytool,
//! users by PLAIN and SCRAM, and an authorizer. Over the plain listener everything is allowed.

use crate::config::HOST;
use crate::dir::Dir;
use crate::launch;
use crate::part::Part;
use crate::ports;
use crate::settings::Settings;
use crate::stack::Stack;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The users; none may do anything until [`Stack::acl`] allows it.
pub const USERS: [&str; 3] = ["anna", "bert", "cleo"];
/// Of the keystores.
pub const STORE_PASSWORD: &str = "store-pa55word";
const MECHANISMS: [&str; 3] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

/// Password of one of [`USERS`].
pub fn password(user: &str) -> String {
    format!("pa55word-of-{user}")
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ports {
    sasl: u16,
    sasl_ssl: u16,
    ssl: u16,
}

impl Ports {
    pub(crate) fn pick() -> Result<Ports> {
        let free = ports::free(3)?;
        Ok(Ports { sasl: free[0], sasl_ssl: free[1], ssl: free[2] })
    }
}

/// Where a secured Kafka listens, and what its clients need.
#[derive(Debug, Clone)]
pub struct Secured {
    /// `SASL_PLAINTEXT`, `localhost:port`.
    pub sasl: String,
    /// `SASL_SSL`, `localhost:port`; its certificate is that of `localhost`, and of no address.
    pub sasl_ssl: String,
    /// `SSL`, `localhost:port`, with the same certificate; it asks clients for theirs.
    pub ssl: String,
    /// PEM of the authority that signed the certificates.
    pub authority: PathBuf,
    /// PEM of an authority that signed nothing.
    pub stranger: PathBuf,
    /// PKCS 12 of a client, `CN=landfall-client`.
    pub client: PathBuf,
}

impl Stack {
    /// The secured listeners, if it was started with them.
    pub fn secured(&self) -> Option<Secured> {
        let ports = self.settings.secure?;
        let (at, file) = (|port| format!("localhost:{port}"), |name| folder(&self.dir).join(name));
        Some(Secured {
            sasl: at(ports.sasl),
            sasl_ssl: at(ports.sasl_ssl),
            ssl: at(ports.ssl),
            authority: file("ca.pem"),
            stranger: file("stranger.pem"),
            client: file("client.p12"),
        })
    }

    /// Runs Kafka's `kafka-acls` with these arguments, such as `--add --allow-principal User:anna --operation Read --topic t`.
    pub fn acl(&self, arguments: &str) -> Result<()> {
        let kafka = self.kafka();
        let tool = ["kafka.admin.AclCommand", "--bootstrap-server", &kafka];
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        let output = launch::tool(Part::Kafka, &self.dir, &self.settings, &[&tool[..], &arguments].concat())?;
        if !output.status.success() {
            bail!("kafka-acls: {}", launch::text(&output).trim());
        }
        Ok(())
    }
}

fn folder(dir: &Dir) -> PathBuf {
    dir.conf().join("tls")
}

/// What the server's properties have beside the plain ones; a later line goes over an earlier one of the same name.
pub(crate) fn properties(dir: &Dir, settings: &Settings) -> String {
    let Some(ports) = settings.secure else { return String::new() };
    let (plain, controller) = (settings.ports.kafka, settings.ports.kafka_controller);
    let listeners = |host: &str| {
        let Ports { sasl, sasl_ssl, ssl } = ports;
        format!("SASL_PLAINTEXT://{host}:{sasl},SASL_SSL://{host}:{sasl_ssl},SSL://{host}:{ssl}")
    };
    let tls = folder(dir);
    let mut text = format!(
        "listeners=PLAINTEXT://{HOST}:{plain},CONTROLLER://{HOST}:{controller},{}
advertised.listeners=PLAINTEXT://{HOST}:{plain},{}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL
sasl.enabled.mechanisms={}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
ssl.keystore.type=PKCS12
ssl.keystore.location={tls}/server.p12
ssl.keystore.password={STORE_PASSWORD}
ssl.key.password={STORE_PASSWORD}
ssl.truststore.type=PKCS12
ssl.truststore.location={tls}/trust.p12
ssl.truststore.password={STORE_PASSWORD}
listener.name.ssl.ssl.client.auth=required
",
        listeners(HOST),
        listeners("localhost"),
        MECHANISMS.join(","),
        tls = tls.display(),
    );
    let users: Vec<_> = USERS.iter().map(|user| format!("user_{user}=\"{}\"", password(user))).collect();
    for listener in ["sasl_plaintext", "sasl_ssl"] {
        for mechanism in MECHANISMS.map(str::to_lowercase) {
            let module = match mechanism.as_str() {
                "plain" => format!("plain.PlainLoginModule required {}", users.join(" ")),
                _ => "scram.ScramLoginModule required".to_owned(),
            };
            text += &format!(
                "listener.name.{listener}.{mechanism}.sasl.jaas.config=org.apache.kafka.common.security.{module};\n"
            );
        }
    }
    text
}

/// What `kafka-storage format` is told beside: the users' SCRAM credentials.
pub(crate) fn format_arguments(settings: &Settings) -> Vec<String> {
    if settings.secure.is_none() {
        return Vec::new();
    }
    let scram = |mechanism: &'static str| {
        USERS.iter().flat_map(move |user| {
            ["--add-scram".to_owned(), format!("{mechanism}=[name={user},password={}]", password(user))]
        })
    };
    MECHANISMS[1..].iter().flat_map(|mechanism| scram(mechanism)).collect()
}

/// Makes the certificates, unless they are there.
pub(crate) fn make_certificates(dir: &Dir, settings: &Settings) -> Result<()> {
    let tls = folder(dir);
    if settings.secure.is_none() || tls.exists() {
        return Ok(());
    }
    fs::create_dir_all(&tls)?;
    let keytool = Keytool { program: settings.java.with_file_name("keytool"), folder: tls };
    for authority in ["ca", "stranger"] {
        keytool.pair(authority, "bc:c")?;
        keytool.run(authority, &format!("-exportcert -rfc -file {authority}.pem"))?;
    }
    for (name, extension) in [("server", "san=dns:localhost"), ("client", "san=dns:client")] {
        keytool.pair(name, extension)?;
        keytool.run(name, &format!("-certreq -file {name}.csr"))?;
        let sign = format!("-gencert -rfc -validity 30 -ext {extension} -infile {name}.csr -outfile {name}.pem");
        keytool.run("ca", &sign)?;
        keytool.import(name, "ca", "ca.pem")?;
        keytool.import(name, name, &format!("{name}.pem"))?;
    }
    keytool.import("trust", "ca", "ca.pem")
}

/// The JDK's tool for certificates, in a folder.
struct Keytool {
    program: PathBuf,
    folder: PathBuf,
}

impl Keytool {
    /// A new key in a store of its own, with a certificate signed by itself.
    fn pair(&self, name: &str, extension: &str) -> Result<()> {
        let subject = format!("CN=landfall-{name}");
        self.run(
            name,
            &format!("-genkeypair -keyalg EC -groupname secp256r1 -validity 30 -dname {subject} -ext {extension}"),
        )
    }

    fn import(&self, store: &str, alias: &str, file: &str) -> Result<()> {
        self.command(store, alias, &format!("-importcert -noprompt -file {file}"))
    }

    fn run(&self, name: &str, arguments: &str) -> Result<()> {
        self.command(name, name, arguments)
    }

    fn command(&self, store: &str, alias: &str, arguments: &str) -> Result<()> {
        let output = Command::new(&self.program)
            .args(arguments.split(' '))
            .args(["-alias", alias, "-keystore", &format!("{store}.p12"), "-storetype", "PKCS12"])
            .args(["-storepass", STORE_PASSWORD])
            .current_dir(Path::new(&self.folder))
            .output()
            .with_context(|| format!("cannot run {}", self.program.display()))?;
        if !output.status.success() {
            bail!("keytool {arguments}: {}", launch::text(&output).trim());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::example;

    #[test]
    fn only_a_secured_stack_has_more_listeners_and_users() {
        let tmp = tempfile::tempdir().expect("a folder");
        let dir = Dir::at(tmp.path()).expect("it is there");
        let mut settings = example();
        assert_eq!((properties(&dir, &settings), format_arguments(&settings)), (String::new(), vec![]));
        settings.secure = Some(Ports { sasl: 21, sasl_ssl: 22, ssl: 23 });
        let text = properties(&dir, &settings);
        assert!(text.contains("advertised.listeners=PLAINTEXT://127.0.0.1:1,SASL_PLAINTEXT://localhost:21,"), "{text}");
        assert!(text.contains("listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config="), "{text}");
        assert_eq!(format_arguments(&settings).len(), 12);
    }
}
