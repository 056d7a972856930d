use tidegate_core::Result;
use tidegate_core::columns::Columns;
use tidegate_core::ports::{FetchSlice, Fetched, LogFetch, LogSource, Observation, ObserveRequest};
use tidegate_core::time::Deadline;
use tidegate_core::words::Isolation;
use tidegate_kafka::{KafkaFetch, KafkaSource};

use super::{awaited, behind};

/// Kafka: itself, or as a reader on AWS sees it.
#[derive(Debug)]
pub(crate) enum Log {
    Local(KafkaSource),
    #[cfg(feature = "aws")]
    Aws(tidegate_aws::RemoteLog),
}

/// A fetch from either. Nothing is fetched through a reader; its errors say so.
#[derive(Debug)]
pub(crate) enum Fetch {
    Local(Box<KafkaFetch>),
    #[cfg(feature = "aws")]
    Aws(tidegate_aws::NoFetch),
}

impl LogSource for Log {
    type Fetch = Fetch;

    async fn observe(&self, request: &ObserveRequest, by: Deadline) -> Result<Observation> {
        awaited!(self, port => port.observe(request, by))
    }

    async fn fetch(
        &self,
        slices: &[FetchSlice],
        isolation: Isolation,
        by: Deadline,
    ) -> Result<Fetch> {
        match self {
            Self::Local(port) => {
                port.fetch(slices, isolation, by).await.map(Box::new).map(Fetch::Local)
            }
            #[cfg(feature = "aws")]
            Self::Aws(port) => port.fetch(slices, isolation, by).await.map(Fetch::Aws),
        }
    }
}

impl LogFetch for Fetch {
    async fn next(&mut self, rows: &mut Columns, by: Deadline) -> Result<Fetched> {
        awaited!(self, port => port.next(rows, by))
    }

    fn stop(&mut self, slice: usize) {
        behind!(self, port => port.stop(slice));
    }
}
