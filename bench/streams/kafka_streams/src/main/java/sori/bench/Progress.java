package sori.bench;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerInterceptor;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

/** Counts records and prints a mark at the first one, at the end of the warm-up, and once the last one is committed. */
public final class Progress {
    /** Tells the progress of this process what was committed; Kafka makes it by name. */
    public static final class CommitWatch implements ConsumerInterceptor<byte[], byte[]> {
        @Override
        public ConsumerRecords<byte[], byte[]> onConsume(ConsumerRecords<byte[], byte[]> records) {
            return records;
        }

        @Override
        public void onCommit(Map<TopicPartition, OffsetAndMetadata> offsets) {
            current.committed(offsets);
        }

        @Override
        public void close() {}

        @Override
        public void configure(Map<String, ?> configs) {}
    }

    private static volatile Progress current;

    private final OperatingSystemMXBean system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    private final Map<TopicPartition, Long> offsets = new ConcurrentHashMap<>();
    private final CountDownLatch done = new CountDownLatch(1);
    private final long warmup;
    private final long total;
    private volatile long count;

    Progress(long warmup, long total) {
        this.warmup = warmup;
        this.total = total;
        current = this;
    }

    /** One record more; called by the one stream thread. */
    void processed() {
        long now = count + 1;
        count = now;
        if (now == 1) {
            mark("first", now);
        }
        if (now == warmup) {
            mark("warm", now);
        }
    }

    boolean allProcessed() {
        return count >= total;
    }

    void committed(Map<TopicPartition, OffsetAndMetadata> more) {
        more.forEach((partition, at) -> offsets.put(partition, at.offset()));
        if (allProcessed() && offsets.values().stream().mapToLong(Long::longValue).sum() >= total && done.getCount() > 0) {
            mark("end", count);
            done.countDown();
        }
    }

    void await() throws InterruptedException {
        done.await();
    }

    private void mark(String name, long events) {
        double cpu = system.getProcessCpuTime() / 1e9; // all threads: stream, RocksDB, collector, compiler
        System.out.printf(
                java.util.Locale.ROOT,
                "{\"mark\": \"%s\", \"events\": %d, \"at\": %.6f, \"cpu\": %.6f}%n",
                name, events, System.nanoTime() / 1e9, cpu);
        System.out.flush();
    }
}
