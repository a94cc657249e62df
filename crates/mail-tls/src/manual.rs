//! The command `mail-tls man`: the manual pages. Names and options are those of the command line's definition; exit codes,
//! signals and files are added here.

use std::{io, process::ExitCode};

use clap::CommandFactory;
use clap_mangen::roff::{Roff, bold, roman};
use command_support::output;

use crate::{
    NAME,
    arguments::{Arguments, Man},
};

/// A section of a page: its heading, and a list of terms with a text each.
type Section = (&'static str, &'static [(&'static str, &'static str)]);

const CONNECT: &[Section] = &[(
    "EXIT STATUS",
    &[
        ("0", "Mail can be read and submitted privately."),
        (
            "1",
            "A service is missing, or its servers are not private or lack what is latched.",
        ),
        ("2", "The arguments or files are wrong."),
        (
            "3",
            "A lookup in the DNS, or the fetch of the configuration file, failed.",
        ),
    ],
)];

const MONITOR: &[Section] = &[
    (
        "EXIT STATUS",
        &[
            (
                "0",
                "All is well, or recommendations of the draft are not followed.",
            ),
            (
                "1",
                "Clients will fail, or lose protection, if no action is taken.",
            ),
            ("2", "Clients fail, or are exposed, now."),
            (
                "3",
                "A check could not be made and no other is bad, or the arguments or files are wrong.",
            ),
        ],
    ),
    (
        "SIGNALS",
        &[
            ("SIGHUP", "The next round of --watch begins at once."),
            (
                "SIGTERM, SIGINT",
                "The monitor ends, if --watch repeats the round.",
            ),
        ],
    ),
    (
        "FILES",
        &[
            (
                "/etc/default/mail-tls-monitor",
                "The domains and options of mail-tls-monitor.service.",
            ),
            (
                "/usr/share/doc/mail-tls/operating.md",
                "The findings, metrics, and the rounds of a timer.",
            ),
        ],
    ),
];

const GATEWAY: &[Section] = &[
    (
        "EXIT STATUS",
        &[
            (
                "0",
                "A signal stopped the gateway, --check found no fault, or the gateway that --health asks has none.",
            ),
            (
                "1",
                "The gateway cannot run, a backend fails (--check), or the gateway has a fault or does not answer (--health).",
            ),
            (
                "2",
                "The configuration or a file that it names cannot be used.",
            ),
        ],
    ),
    (
        "SIGNALS",
        &[
            (
                "SIGHUP",
                "The configuration and all files are read again. A configuration that cannot be used changes nothing.",
            ),
            (
                "SIGTERM, SIGINT",
                "The gateway stops; sessions that are logged in have the time of the key drain. A second signal ends it at once.",
            ),
        ],
    ),
    (
        "FILES",
        &[
            (
                "/etc/mail-tls/gateway.toml",
                "The configuration of mail-tls-gateway.service.",
            ),
            (
                "/usr/share/doc/mail-tls/operating.md",
                "Each key of the configuration, the log, metrics, and settings of backends.",
            ),
        ],
    ),
];

/// Prints a manual page.
pub(crate) fn run(arguments: &Man) -> ExitCode {
    let page = page(arguments.command.as_deref());
    match page.and_then(output::print) {
        Ok(()) => ExitCode::SUCCESS,
        // A reader that has seen enough closes the pipe.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(NAME, error);
            ExitCode::from(2)
        }
    }
}

/// Returns the page of the whole, or of one command.
fn page(name: Option<&str>) -> io::Result<Vec<u8>> {
    // The list of commands has no `help`.
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    let found = name.map_or(Some(&command), |name| command.find_subcommand(name));
    let found = found.cloned().ok_or(io::ErrorKind::NotFound)?;
    let mut page = Vec::new();
    clap_mangen::Man::new(found)
        .source(concat!("mail-tls ", env!("CARGO_PKG_VERSION")))
        .manual("User Commands")
        .render(&mut page)?;
    let mut more = Roff::new();
    for (heading, terms) in sections(name.unwrap_or_default()) {
        more.control("SH", [*heading]);
        for (term, text) in *terms {
            more.control("TP", []);
            more.text([bold(*term)]);
            more.text([roman(*text)]);
        }
    }
    more.to_writer(&mut page)?;
    Ok(page)
}

/// Returns the sections of a command's page that its definition does not have.
fn sections(command: &str) -> &'static [Section] {
    match command {
        "connect" => CONNECT,
        "monitor" => MONITOR,
        "gateway" => GATEWAY,
        _ => &[],
    }
}
