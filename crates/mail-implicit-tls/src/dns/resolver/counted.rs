//! Connections to the server, of which those are counted for which this machine had no descriptor or no memory. The client of
//! `domain` reports them as another failure, and its validator as a proof that is not complete.

use std::{io, pin::Pin};

use domain::net::client::protocol::AsyncConnect;

use crate::dns::shortages::Shortages;

/// Makes connections, and counts those that lacked something.
#[derive(Clone, Debug)]
pub(super) struct Counted<C> {
    connect: C,
    shortages: Shortages,
}

impl<C> Counted<C> {
    pub(super) fn new(connect: C, shortages: &Shortages) -> Self {
        Self {
            connect,
            shortages: shortages.clone(),
        }
    }
}

impl<C> AsyncConnect for Counted<C>
where
    C: AsyncConnect,
    C::Fut: 'static,
{
    type Connection = C::Connection;
    type Fut = Pin<Box<dyn Future<Output = io::Result<C::Connection>> + Send + Sync>>;

    fn connect(&self) -> Self::Fut {
        let (connecting, shortages) = (self.connect.connect(), self.shortages.clone());
        Box::pin(async move {
            let connected = connecting.await;
            shortages.note(&connected);
            connected
        })
    }
}
