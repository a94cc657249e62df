//! The sockets, made with the rights of the user that starts the process; and the user that it becomes.

use std::{
    fs, io,
    net::TcpListener,
    os::unix::{
        fs::{FileTypeExt, PermissionsExt, chown},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
};

use nix::unistd::{Group, User};

use super::serve::Listener;
use crate::{
    settings::{Listen, MilterSettings, Mode, Parsed},
    source::shown,
};

/// The user that the process becomes, and the group of the socket's file.
pub(super) struct Account {
    user: Option<User>,
    group: Option<Group>,
}

impl Account {
    /// Finds the user and the group.
    ///
    /// # Errors
    /// Returns a message if one does not exist.
    pub(super) fn of(settings: &MilterSettings) -> Result<Self, String> {
        let user = settings.user.as_deref().map(|name| {
            let found = User::from_name(name).map_err(|error| format!("user: {error}"))?;
            found.ok_or_else(|| format!("user: {} does not exist", crate::visible::Visible(name)))
        });
        let group = settings.socket_group.as_deref().map(|name| {
            let found = Group::from_name(name).map_err(|error| format!("socket-group: {error}"))?;
            let missing = || {
                format!(
                    "socket-group: {} does not exist",
                    crate::visible::Visible(name)
                )
            };
            found.ok_or_else(missing)
        });
        Ok(Self {
            user: user.transpose()?,
            group: group.transpose()?,
        })
    }

    /// Gives up the rights of the user that started the process, for good.
    ///
    /// # Errors
    /// Returns a message if the operating system refuses, or would let the process have them back.
    pub(super) fn become_it(&self) -> Result<(), String> {
        let Some(user) = &self.user else {
            if nix::unistd::geteuid().is_root() {
                tracing::warn!("running as root; set user");
            }
            return Ok(());
        };
        if nix::unistd::geteuid() == user.uid {
            return Ok(());
        }
        let failed = |error: nix::Error| format!("user: {error}");
        let name =
            std::ffi::CString::new(user.name.as_str()).map_err(|_| "user: a NUL in the name")?;
        #[cfg(not(any(target_os = "macos", target_os = "ios")))]
        nix::unistd::initgroups(&name, user.gid).map_err(failed)?;
        #[cfg(any(target_os = "macos", target_os = "ios"))]
        drop(name);
        nix::unistd::setgid(user.gid).map_err(failed)?;
        nix::unistd::setuid(user.uid).map_err(failed)?;
        match nix::unistd::setuid(nix::unistd::Uid::from_raw(0)) {
            Err(_) => Ok(()),
            Ok(()) => Err("user: the process could become root again".to_owned()),
        }
    }
}

enum Bound {
    Unix(UnixListener, PathBuf),
    Inet(TcpListener),
}

/// The sockets of the process.
pub(super) struct Sockets {
    bound: Bound,
    metrics: Option<TcpListener>,
}

impl Sockets {
    /// Listens.
    ///
    /// # Errors
    /// Returns a message with the socket.
    pub(super) fn bind(
        listen: &Listen,
        settings: &MilterSettings,
        account: &Account,
    ) -> Result<Self, String> {
        let of = |error: &dyn std::fmt::Display| format!("listen: {listen}: {error}");
        let bound = match listen {
            Listen::Inet(address) => {
                Bound::Inet(TcpListener::bind(address).map_err(|error| of(&error))?)
            }
            Listen::Unix(path) => {
                let mode = settings.socket_mode.as_ref();
                let Mode(mode) = mode.map_or(Mode(0o660), |Parsed(mode)| *mode);
                let listener = unix(path, mode, account).map_err(|error| of(&error))?;
                Bound::Unix(listener, path.clone())
            }
        };
        let metrics = settings.metrics.map(|address| {
            let listener = TcpListener::bind(address);
            listener.map_err(|error| format!("metrics: {address}: {error}"))
        });
        Ok(Self {
            bound,
            metrics: metrics.transpose()?,
        })
    }

    /// Returns the sockets for tokio, and the path of the socket's file.
    pub(super) fn into_tokio(
        self,
    ) -> Result<(Listener, Option<tokio::net::TcpListener>, Option<PathBuf>), String> {
        let failed = |error: io::Error| format!("listen: {error}");
        let tcp = |listener: TcpListener| {
            listener.set_nonblocking(true)?;
            tokio::net::TcpListener::from_std(listener)
        };
        let (listener, path) = match self.bound {
            Bound::Inet(listener) => (Listener::Inet(tcp(listener).map_err(failed)?), None),
            Bound::Unix(listener, path) => {
                listener.set_nonblocking(true).map_err(failed)?;
                let listener = tokio::net::UnixListener::from_std(listener).map_err(failed)?;
                (Listener::Unix(listener, path.clone()), Some(path))
            }
        };
        let metrics = self.metrics.map(tcp).transpose().map_err(failed)?;
        Ok((listener, metrics, path))
    }
}

/// Makes the socket's file. One that no process listens on is replaced.
fn unix(path: &Path, mode: u32, account: &Account) -> io::Result<UnixListener> {
    if let Ok(found) = fs::symlink_metadata(path) {
        if !found.file_type().is_socket() {
            let text = "a file that is not a socket is in the way";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        if UnixStream::connect(path).is_ok() {
            return Err(io::Error::new(
                io::ErrorKind::AddrInUse,
                "in use by another process",
            ));
        }
        fs::remove_file(path)?;
    }
    // The file is made where others cannot reach it, and appears under its name with its permissions.
    let directory = path.parent().unwrap_or(Path::new("/"));
    let private = directory.join(format!(".authres-{}", std::process::id()));
    let mut builder = fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(&private)
        .map_err(|error| crate::source::of(&shown(&private), &error))?;
    let made = make(&private.join("s"), path, mode, account);
    let _ = fs::remove_file(private.join("s"));
    let removed = fs::remove_dir(&private);
    let listener = made?;
    removed?;
    Ok(listener)
}

fn make(private: &Path, path: &Path, mode: u32, account: &Account) -> io::Result<UnixListener> {
    let listener = UnixListener::bind(private)?;
    let user = account.user.as_ref();
    let uid = user.map(|user| user.uid.as_raw());
    let group = account.group.as_ref().map(|group| group.gid);
    let gid = group
        .or(user.map(|user| user.gid))
        .map(nix::unistd::Gid::as_raw);
    if uid.is_some() || gid.is_some() {
        chown(private, uid, gid)?;
    }
    fs::set_permissions(private, fs::Permissions::from_mode(mode))?;
    fs::rename(private, path)?;
    Ok(listener)
}
