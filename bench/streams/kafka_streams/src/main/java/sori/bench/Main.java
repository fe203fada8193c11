package sori.bench;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowStore;

/** Arguments: state folder, records in the topic, records of the warm-up. The rest is in BENCH_* variables. */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) throws InterruptedException {
        Progress progress = new Progress(Long.parseLong(arguments[2]), Long.parseLong(arguments[1]));
        KafkaStreams streams = new KafkaStreams(topology(progress), config(Path.of(arguments[0])));
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.start();
        progress.await();
        Runtime.getRuntime().halt(0); // what a clean stop costs is not what is measured
    }

    static Topology topology(Progress progress) {
        String prefix = System.getenv("BENCH_OUTPUT");
        Topology made = new Topology();
        made.addSource("events", new ByteArrayDeserializer(), new ByteArrayDeserializer(), System.getenv("BENCH_TOPIC"));
        made.addProcessor("hop", () -> new Hop(progress), "events");
        made.addStateStore(store("seen", Hop.PANE_MS), "hop");
        made.addStateStore(store("ctr-windows", Hop.WINDOW_MS), "hop");
        made.addStateStore(store("device-windows", Hop.WINDOW_MS), "hop");
        made.addStateStore(store("place-windows", Hop.PANE_MS), "hop");
        for (String sink : new String[] {"ctr", "device", "place"}) {
            made.addSink(sink, prefix + sink, new ByteArraySerializer(), new ByteArraySerializer(), "hop");
        }
        return made;
    }

    /** RocksDB, a changelog topic, and a write-back cache in front. */
    private static StoreBuilder<WindowStore<String, byte[]>> store(String name, long windowMs) {
        Duration retention = Duration.ofMillis(Hop.LATENESS_MS + 2 * Hop.WINDOW_MS);
        return Stores.windowStoreBuilder(
                        Stores.persistentWindowStore(name, retention, Duration.ofMillis(windowMs), false),
                        Serdes.String(),
                        Serdes.ByteArray())
                .withCachingEnabled()
                .withLoggingEnabled(Map.of());
    }

    private static Properties config(Path folder) {
        Properties made = new Properties();
        made.put(StreamsConfig.APPLICATION_ID_CONFIG, System.getenv("BENCH_GROUP"));
        made.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, System.getenv("BENCH_BOOTSTRAP"));
        made.put(StreamsConfig.STATE_DIR_CONFIG, folder.toString());
        made.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1); // it has one core
        made.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        made.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.AT_LEAST_ONCE);
        made.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 60_000); // the processor asks for one each second
        made.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 256L << 20);
        made.put(StreamsConfig.producerPrefix("compression.type"), "lz4");
        made.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
        made.put(StreamsConfig.consumerPrefix("max.poll.records"), 5000);
        made.put(StreamsConfig.mainConsumerPrefix("interceptor.classes"), Progress.CommitWatch.class.getName());
        return made;
    }
}
