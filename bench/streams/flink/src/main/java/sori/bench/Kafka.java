package sori.bench;

import java.io.IOException;
import java.util.Properties;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.KafkaSourceBuilder;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** What both jobs read from and write to: at least once, in large batches. */
final class Kafka {
    private Kafka() {}

    /** Bodies to events; in the task's own thread. */
    static final class Parse implements KafkaRecordDeserializationSchema<Event> {
        private final boolean counts;

        Parse(boolean counts) {
            this.counts = counts;
        }

        @Override
        public void open(DeserializationSchema.InitializationContext context) {}

        @Override
        public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Event> out) throws IOException {
            out.collect(Event.parse(record.value()));
            if (counts) {
                Progress.processed();
            }
        }

        @Override
        public TypeInformation<Event> getProducedType() {
            return TypeInformation.of(Event.class);
        }
    }

    static KafkaSource<Event> source(boolean bounded) {
        KafkaSourceBuilder<Event> made = KafkaSource.<Event>builder()
                .setBootstrapServers(System.getenv("BENCH_BOOTSTRAP"))
                .setTopics(System.getenv("BENCH_TOPIC"))
                .setGroupId(System.getenv("BENCH_GROUP"))
                .setStartingOffsets(OffsetsInitializer.earliest())
                .setProperty("max.poll.records", "5000")
                .setProperty("max.partition.fetch.bytes", "4194304")
                .setProperty("partition.discovery.interval.ms", "-1")
                .setDeserializer(new Parse(bounded));
        return bounded ? made.setBounded(OffsetsInitializer.latest()).build() : made.build();
    }

    static KafkaSink<Rows.Row> sink() {
        Properties producer = new Properties();
        producer.put("compression.type", "lz4");
        producer.put("linger.ms", "20");
        producer.put("batch.size", "262144");
        return KafkaSink.<Rows.Row>builder()
                .setBootstrapServers(System.getenv("BENCH_BOOTSTRAP"))
                .setKafkaProducerConfig(producer)
                .setDeliveryGuarantee(DeliveryGuarantee.AT_LEAST_ONCE)
                .setRecordSerializer(new Rows.ToKafka(System.getenv("BENCH_OUTPUT")))
                .build();
    }
}
