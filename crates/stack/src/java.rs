//! The Java that runs the servers.

use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::Command;

pub(crate) const INSTALL: &str =
    "Install it with: apt-get install openjdk-17-jdk-headless maven   (Java 17 is what is tested)";

/// The java of $JAVA_HOME or else of $PATH, which must be 17 or newer.
pub(crate) fn find() -> Result<PathBuf> {
    let java = match std::env::var_os("JAVA_HOME").filter(|home| !home.is_empty()) {
        Some(home) => PathBuf::from(home).join("bin/java"),
        None => in_path("java").with_context(|| format!("there is no java in $PATH, and no $JAVA_HOME. {INSTALL}"))?,
    };
    let name = java.display();
    let output = Command::new(&java)
        .arg("-version")
        .output()
        .with_context(|| format!("cannot run {name} (from $JAVA_HOME or $PATH). {INSTALL}"))?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    match version(&text) {
        None => bail!("cannot tell the version of {name} from: {text}"),
        Some(v) if v < 17 => bail!("{name} is Java {v}; at least 17 is needed. {INSTALL}"),
        Some(17) => {}
        Some(v) => eprintln!("landfall-stack: {name} is Java {v}; only 17 is tested"),
    }
    Ok(java)
}

/// Where in $PATH a program is.
pub(crate) fn in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The first number of what `java -version` prints; Java 8 calls itself 1.8.
fn version(text: &str) -> Option<u32> {
    let quoted = text.split('"').nth(1)?;
    let mut numbers = quoted.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().ok());
    match numbers.next()?? {
        1 => numbers.next()?,
        version => Some(version),
    }
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions_are_understood() {
        assert_eq!(version("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime"), Some(17));
        assert_eq!(version("java version \"1.8.0_401\""), Some(8));
        assert_eq!(version("openjdk version \"25-ea\" 2025-09-16"), Some(25));
        assert_eq!(version("Picked up nothing"), None);
    }
}
