//! Feature `tower`: a request's body, whose trailer is checked.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http_body::{Body, Frame, SizeHint};

use crate::{
    header::NAME,
    server::{connection::Connection, terminate::TerminateReason},
};

pin_project_lite::pin_project! {
    /// The body of a request that was checked. A `Token-Binding` field in its trailer terminates the
    /// connection once the application reads it.
    pub struct RequestBody<B> {
        #[pin]
        body: B,
        connection: Connection,
    }
}

impl<B> RequestBody<B> {
    pub(crate) const fn new(body: B, connection: Connection) -> Self {
        Self { body, connection }
    }

    /// Returns the connection that the request came on.
    #[must_use]
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }
}

/// The error of a [`RequestBody`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestBodyError<E> {
    /// The body could not be read.
    Body(E),
    /// The connection is terminated.
    Terminated(TerminateReason),
}

impl<E: fmt::Display> fmt::Display for RequestBodyError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(error) => error.fmt(f),
            Self::Terminated(reason) => write!(f, "the connection is terminated: {reason}"),
        }
    }
}

impl<E: Error + 'static> Error for RequestBodyError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Body(error) => error.source(),
            Self::Terminated(_) => None,
        }
    }
}

impl<B: Body> Body for RequestBody<B> {
    type Data = B::Data;
    type Error = RequestBodyError<B::Error>;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, Self::Error>>> {
        let this = self.project();
        let frame = match ready!(this.body.poll_frame(context)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(RequestBodyError::Body(error)))),
            None => return Poll::Ready(None),
        };
        if let Some(trailers) = frame.trailers_ref() {
            let checked = this.connection.trailer(trailers.contains_key(&NAME));
            if let Err(reason) = checked {
                return Poll::Ready(Some(Err(RequestBodyError::Terminated(reason))));
            }
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B: fmt::Debug> fmt::Debug for RequestBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.body.fmt(f)
    }
}
