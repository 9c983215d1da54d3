//! A message that still lies in librdkafka's memory.

use std::ffi::{CStr, c_void};
use std::marker::PhantomData;
use std::ptr::{NonNull, null, null_mut};
use std::slice;

use rdkafka::Timestamp;
use rdkafka::bindings as rd;

/// Tells topics apart without comparing names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicId(usize);

/// A message. It gives its memory back to librdkafka when it is dropped.
#[derive(Debug)]
pub struct Message<'q> {
    raw: NonNull<rd::rd_kafka_message_t>,
    /// No message outlives the queue, and so the consumer, that it came from.
    queue: PhantomData<&'q mut ()>,
}

impl Message<'_> {
    /// Takes over a message of librdkafka.
    ///
    /// # Safety
    /// `raw` came from `rd_kafka_consume_batch_queue`, and is destroyed by nobody else. Its consumer lives as long as the
    /// message. If it carries an error, it is only asked for its partition.
    pub(crate) unsafe fn new(raw: NonNull<rd::rd_kafka_message_t>) -> Self {
        Message { raw, queue: PhantomData }
    }

    fn get(&self) -> &rd::rd_kafka_message_t {
        // SAFETY: by `new` it is a message of librdkafka that nobody else destroys or changes; `drop` has not run yet.
        unsafe { self.raw.as_ref() }
    }

    /// Stands for the topic as long as a partition of it is assigned; later it may come to stand for another one.
    pub fn topic_id(&self) -> TopicId {
        TopicId(self.get().rkt as usize)
    }

    /// Name of the topic. Kafka allows ASCII only; a name that is not UTF-8 would come as an empty one.
    pub fn topic(&self) -> &str {
        // SAFETY: by `new` it carries no error, so it holds a reference to its topic, whose name ends in a zero byte and lives
        // as long as the topic, so at least as long as the message.
        let name = unsafe { CStr::from_ptr(rd::rd_kafka_topic_name(self.get().rkt)) };
        name.to_str().unwrap_or_default()
    }

    /// Partition number.
    pub fn partition(&self) -> i32 {
        self.get().partition
    }

    /// Offset in the partition.
    pub fn offset(&self) -> i64 {
        self.get().offset
    }

    /// When it was made, or appended: whichever the topic is set to.
    pub fn timestamp(&self) -> Timestamp {
        let mut kind = rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive (see `get`), and `kind` is written before the call returns.
        let millis = unsafe { rd::rd_kafka_message_timestamp(self.raw.as_ptr(), &mut kind) };
        match kind {
            rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_CREATE_TIME => Timestamp::CreateTime(millis),
            rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME => Timestamp::LogAppendTime(millis),
            _ => Timestamp::NotAvailable,
        }
    }

    /// Key, if there is one.
    pub fn key(&self) -> Option<&[u8]> {
        // SAFETY: key and length belong together, and live as long as the message.
        unsafe { bytes(self.get().key, self.get().key_len) }
    }

    /// Value; `None` is a tombstone.
    pub fn payload(&self) -> Option<&[u8]> {
        // SAFETY: payload and length belong together, and live as long as the message.
        unsafe { bytes(self.get().payload, self.get().len) }
    }

    /// Keys and values of the headers in their order; a key need not be UTF-8, a value may be null. librdkafka reads
    /// them only now.
    pub fn headers(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        let mut headers = null_mut();
        // SAFETY: the message is alive. librdkafka parses the headers into the message, which no other reference sees:
        // `Message` cannot be shared between threads, and the fields that `get` shows stay as they are.
        let err = unsafe { rd::rd_kafka_message_headers(self.raw.as_ptr(), &mut headers) };
        let found = err == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
        let count = if found {
            // SAFETY: the headers were just found, and belong to the message.
            unsafe { rd::rd_kafka_header_cnt(headers) }
        } else {
            0
        };
        (0..count).map_while(move |index| {
            let (mut key, mut value, mut size) = (null(), null(), 0);
            // SAFETY: the headers belong to the message, which this iterator borrows; all three are written if there
            // is such a header.
            let err = unsafe { rd::rd_kafka_header_get_all(headers, index, &mut key, &mut value, &mut size) };
            (err == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR).then(|| {
                // SAFETY: a header's key ends in a zero byte; it lives as long as the message.
                let key = unsafe { CStr::from_ptr(key) };
                // SAFETY: value and size belong together, and live as long as the message.
                (key.to_bytes(), unsafe { bytes(value, size) })
            })
        })
    }
}

/// # Safety
/// Unless it is null, `at` points to `len` bytes that do not change and live at least as long as `'a`.
unsafe fn bytes<'a>(at: *const c_void, len: usize) -> Option<&'a [u8]> {
    // SAFETY: not null, and the rest is the caller's promise.
    (!at.is_null()).then(|| unsafe { slice::from_raw_parts(at.cast(), len) })
}

impl Drop for Message<'_> {
    fn drop(&mut self) {
        // SAFETY: by `new` nobody else destroys it.
        unsafe { rd::rd_kafka_message_destroy(self.raw.as_ptr()) }
    }
}
