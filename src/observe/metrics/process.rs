//! What the operating system says of the process, under the names that all Prometheus clients use. Only on Linux.

use std::fs;
use std::time::Duration;

use super::table::{self, Metric};
use super::{Metrics, Series};

/// Of `/proc`: ticks a second, which Linux has fixed for programs, and bytes of a page where nothing else is known.
const TICKS: f64 = 100.0;

impl Metrics {
    pub(super) fn set_process(&self) {
        let Some(stat) = fs::read_to_string("/proc/self/stat").ok().and_then(|text| Stat::parse(&text)) else { return };
        self.set(&table::VIRTUAL, &[], stat.virtual_bytes);
        self.set(&table::THREADS, &[], stat.threads);
        self.set(&table::RESIDENT, &[], stat.resident_pages * rustix::param::page_size() as f64);
        self.grow_to(&table::CPU, stat.cpu_ticks / TICKS);
        if let Some(boot) = boot_time() {
            self.set(&table::START_TIME, &[], boot + stat.start_ticks / TICKS);
        }
        // The directory that is read has one open itself.
        let open = fs::read_dir("/proc/self/fd").map_or(0, |fds| fds.count().saturating_sub(1));
        self.set(&table::OPEN_FDS, &[], open as f64);
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        self.set(&table::MAX_FDS, &[], limit.unwrap_or(0) as f64);
    }

    /// A counter that somebody else keeps.
    fn grow_to(&self, metric: &Metric, value: f64) {
        let Some(Series::Seconds(family)) = self.series(metric) else { return };
        let before = family.get_or_create(&Vec::new()).get();
        self.seconds(metric, &[], Duration::from_secs_f64((value - before).max(0.0)));
    }
}

/// Some fields of `/proc/self/stat`.
#[derive(Debug, PartialEq)]
struct Stat {
    cpu_ticks: f64,
    threads: f64,
    start_ticks: f64,
    virtual_bytes: f64,
    resident_pages: f64,
}

impl Stat {
    fn parse(text: &str) -> Option<Stat> {
        // The name of the program, in brackets, may hold anything.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        // The first of these is the third of proc(5).
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        Some(Stat {
            cpu_ticks: field(14)? + field(15)?,
            threads: field(20)?,
            start_ticks: field(22)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }
}

/// Seconds since 1970.
fn boot_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_linux_writes_of_a_process() {
        let text = "77 (a) b (c) S 1 77 77 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 12345 987654144 2048 184467440";
        let stat = Stat::parse(text).unwrap();
        assert_eq!((stat.cpu_ticks, stat.threads, stat.start_ticks), (300.0, 9.0, 12345.0));
        assert_eq!((stat.virtual_bytes, stat.resident_pages), (987_654_144.0, 2048.0));
        assert_eq!(Stat::parse("77 (a"), None);
        let own = Stat::parse(&fs::read_to_string("/proc/self/stat").unwrap()).unwrap();
        assert!(own.threads >= 1.0 && own.resident_pages > 100.0, "{own:?}");
    }
}
