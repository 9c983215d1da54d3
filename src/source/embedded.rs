//! A Kafka cluster inside the process: librdkafka's mock, for `landfall demo` and for tests without Java.

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use super::port::SourceError;

/// A running mock cluster. It keeps about 5 MiB a partition and nothing on disk.
pub struct EmbeddedKafka {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl EmbeddedKafka {
    /// Starts one broker on a free loopback port, with these topics.
    pub fn start(topics: &[(&str, i32)]) -> Result<EmbeddedKafka, SourceError> {
        let fatal = |e: rdkafka::error::KafkaError| SourceError::Fatal(format!("mock cluster: {e}"));
        let cluster = MockCluster::new(1).map_err(fatal)?;
        for (topic, partitions) in topics {
            cluster.create_topic(topic, *partitions, 1).map_err(fatal)?;
        }
        Ok(EmbeddedKafka { cluster })
    }

    /// `host:port` of the broker.
    pub fn bootstrap_servers(&self) -> String {
        self.cluster.bootstrap_servers()
    }
}
