//! `run` and `up`: a stack that lives as long as a command, or as this process.

use anyhow::{Context, Result};
use landfall_stack::{Options, Service, Stack, fetch, signals};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

/// How long the command may take to end once we were told to.
const PATIENCE: Duration = Duration::from_secs(15);

/// Starts a stack, runs the command, stops the stack, and returns the command's exit code.
pub(crate) fn run(options: Options, command: &[OsString]) -> Result<u8> {
    signals::catch()?;
    let (program, args) = command.split_first().context("no command")?;
    let stack = Stack::start(options)?;
    eprintln!("the stack is in {}", stack.dir().display());
    let code = match Command::new(program).args(args).envs(stack.env()).spawn() {
        Ok(child) => exit_code(wait(child)?),
        Err(error) => {
            eprintln!("landfall-stack: cannot run {}: {error}", program.display());
            if error.kind() == ErrorKind::NotFound { 127 } else { 126 }
        }
    };
    stack.shut_down()?;
    Ok(code)
}

/// Waits for the command. If we are told to end, it is too, for the stack would go from under it.
fn wait(mut child: Child) -> Result<ExitStatus> {
    let mut told = None;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        match (signals::caught(), told) {
            (Some(signal), None) => {
                // A Ctrl-C in a terminal goes to the command as well, and twice may mean something else to it.
                let heard = signal == rustix::process::Signal::INT.as_raw();
                if !heard {
                    terminate(&child);
                }
                told = Some((Instant::now(), heard));
            }
            (Some(_), Some((since, true))) if since.elapsed() > PATIENCE / 3 => {
                terminate(&child);
                told = Some((Instant::now(), false));
            }
            (Some(_), Some((since, false))) if since.elapsed() > PATIENCE => child.kill()?,
            _ => {}
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn terminate(child: &Child) {
    if let Some(pid) = rustix::process::Pid::from_raw(child.id() as i32) {
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).ok(); // it may have just ended
    }
}

/// As a shell has it: 128 and the signal if one ended it.
fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| Some(128 + status.signal()?)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

/// Starts a stack, tells how to use it, and stops it when this process is told to end.
pub(crate) fn up(options: Options) -> Result<()> {
    signals::catch()?;
    let stack = Stack::start(options)?;
    print!("\n{}\n{}", exports(&stack), usage(&stack)?);
    println!("\nCtrl-C stops the stack.");
    while signals::caught().is_none() {
        thread::sleep(Duration::from_millis(100));
    }
    eprintln!("stopping");
    stack.shut_down()
}

/// Lines for a shell.
pub(crate) fn exports(stack: &Stack) -> String {
    let quoted = |value: String| format!("'{}'", value.replace('\'', r"'\''"));
    stack.env().into_iter().map(|(name, value)| format!("export {name}={}\n", quoted(value))).collect()
}

/// Things to try.
fn usage(stack: &Stack) -> Result<String> {
    let libs = fetch::folder()?;
    let (libs, dir, kafka) = (libs.display(), stack.dir().display(), stack.kafka());
    let mut text = format!("# Show the parts; kill one\nlandfall-stack status --dir {dir}\n");
    if stack.has(Service::Hdfs) {
        text += &format!("landfall-stack kill datanode1 --dir {dir} && landfall-stack start datanode1 --dir {dir}\n");
    }
    if stack.has(Service::Kafka) {
        text += &format!(
            "# Create a topic; produce lines to it\nlandfall-stack topic events --partitions 3 --dir {dir}\n\
             echo '{{\"a\": 1}}' | java -cp '{libs}/kafka/*' kafka.tools.ConsoleProducer --bootstrap-server {kafka} --topic events\n"
        );
    }
    if stack.has(Service::Presto) {
        text += &format!(
            "# Query, without and with Presto's own client\nlandfall-stack presto 'show tables' --dir {dir}\n\
             java -jar {libs}/presto/presto-cli.jar --server {} --catalog hive --schema default --execute 'show tables'\n",
            stack.presto().url()
        );
    }
    Ok(text)
}
