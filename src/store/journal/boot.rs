//! The clock of the journal: the time since the machine started, and an identifier of that start.

/// The clock of one start of the machine.
pub(crate) trait BootClock: Send + Sync + 'static {
    /// Returns the name of this start of the machine. Two starts never have the same one.
    fn boot_id(&self) -> String;

    /// Returns the milliseconds since this start. They count while the machine is suspended, and no step of
    /// the wall clock changes them.
    fn boot_millis(&self) -> i64;
}

/// The clock of the operating system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemBoot;

#[cfg(target_os = "linux")]
impl BootClock for SystemBoot {
    fn boot_id(&self) -> String {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        id.trim().to_owned()
    }

    fn boot_millis(&self) -> i64 {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        now.tv_sec * 1_000 + now.tv_nsec / 1_000_000
    }
}

#[cfg(not(target_os = "linux"))]
impl BootClock for SystemBoot {
    /// Without a name, every start of the process counts as one of the machine, and the wall clock decides.
    fn boot_id(&self) -> String {
        String::new()
    }

    fn boot_millis(&self) -> i64 {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
    }
}

/// One moment, on both clocks of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    /// The start of the machine.
    pub(super) boot_id: String,
    /// Milliseconds since that start.
    pub(super) boot: i64,
    /// Milliseconds of the wall clock since the Unix epoch.
    pub(super) wall: i64,
}

/// The relation of the times of an earlier moment to the present clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shift {
    /// The number to add to the earlier times.
    Add(i64),
    /// The time that has passed is unknown, because the clock shows a time before the last recorded one.
    Unknown,
}

/// Applies the clock rule. Within one start of the machine, its clock decides, and steps of the wall clock
/// have no effect. After another start, the wall clock says how much time has passed. The rest of a lifetime
/// never grows.
pub(super) fn shift(before: &Moment, now: &Moment) -> Shift {
    if before.boot_id == now.boot_id && !now.boot_id.is_empty() {
        // A machine that is restored from a snapshot goes back in time.
        return if now.boot >= before.boot { Shift::Add(0) } else { Shift::Unknown };
    }
    let passed = now.wall.saturating_sub(before.wall);
    if passed < 0 { Shift::Unknown } else { Shift::Add(now.boot - before.boot - passed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(boot_id: &str, boot: i64, wall: i64) -> Moment {
        Moment { boot_id: boot_id.to_owned(), boot, wall }
    }

    #[test]
    fn within_a_start_of_the_machine_the_wall_clock_decides_nothing() {
        let before = moment("a", 10_000, 1_000_000);
        for step in [-3_600_000, 0, 3_600_000] {
            let now = moment("a", 15_000, 1_005_000 + step);
            assert_eq!(shift(&before, &now), Shift::Add(0), "a step of {step} ms");
        }
        assert_eq!(shift(&before, &moment("a", 9_999, 1_005_000)), Shift::Unknown, "a snapshot");
    }

    #[test]
    fn after_another_start_what_remains_shrinks_by_the_time_that_has_passed() {
        let before = moment("a", 500_000, 1_000_000);
        let expires = 560_000;
        let remaining = |now: &Moment| match shift(&before, now) {
            Shift::Add(shift) => Some(expires + shift - now.boot),
            Shift::Unknown => None,
        };
        assert_eq!(remaining(&moment("b", 3_000, 1_010_000)), Some(50_000));
        assert_eq!(remaining(&moment("b", 3_000, 1_000_000)), Some(60_000), "it never grows");
        assert_eq!(remaining(&moment("b", 3_000, 4_600_000)), Some(-3_540_000), "it is over");
        assert_eq!(remaining(&moment("b", 3_000, 999_999)), None, "the wall clock went back");
        assert_eq!(shift(&moment("", 1, 1), &moment("", 5, 5)), Shift::Add(0));
    }

    #[test]
    fn the_system_has_such_a_clock() {
        let before = SystemBoot.boot_millis();
        assert!(SystemBoot.boot_millis() >= before && before > 0);
        assert_eq!(SystemBoot.boot_id(), SystemBoot.boot_id());
    }
}
