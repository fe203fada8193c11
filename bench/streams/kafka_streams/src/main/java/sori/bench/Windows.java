package sori.bench;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.WindowStore;

/** Cumulative counts of one kind of window: kept in RocksDB, changed rows published as upserts. */
final class Windows {
    static final String SEPARATOR = "\u001f";
    private static final JsonFactory JSON = new JsonFactory();

    private record Cell(String key, long start) {}

    private final String sink;
    private final String[] names;
    private final String[] counters;
    private final long lengthMs;
    private final int partition;
    private final WindowStore<String, byte[]> store;
    private final Map<Cell, byte[]> dirty = new HashMap<>();

    Windows(String sink, String[] names, String[] counters, long lengthMs, int partition, WindowStore<String, byte[]> store) {
        this.sink = sink;
        this.names = names;
        this.counters = counters;
        this.lengthMs = lengthMs;
        this.partition = partition;
        this.store = store;
    }

    /** Add one to a counter of the window that `timeMs` lies in. */
    void count(String key, long timeMs, int counter) {
        long start = timeMs - timeMs % lengthMs;
        byte[] before = store.fetch(key, start);
        // A copy: the store's cache hands out the array that it keeps.
        byte[] counts = before == null ? new byte[8 * counters.length] : before.clone();
        ByteBuffer buffer = ByteBuffer.wrap(counts);
        buffer.putLong(8 * counter, buffer.getLong(8 * counter) + 1);
        store.put(key, counts, start);
        dirty.put(new Cell(key, start), counts);
    }

    /** Forward every changed row, once however often it changed. */
    void publish(ProcessorContext<byte[], byte[]> context, long version, long timestamp) {
        for (Map.Entry<Cell, byte[]> entry : dirty.entrySet()) {
            byte[] key = entry.getKey().key().getBytes(StandardCharsets.UTF_8);
            context.forward(new Record<>(key, row(entry.getKey(), entry.getValue(), version), timestamp), sink);
        }
        dirty.clear();
    }

    private byte[] row(Cell cell, byte[] counts, long version) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(320);
        String[] values = cell.key().split(SEPARATOR, -1);
        ByteBuffer buffer = ByteBuffer.wrap(counts);
        try (JsonGenerator json = JSON.createGenerator(bytes)) {
            json.writeStartObject();
            json.writeNumberField("window_start", cell.start() / 1000);
            for (int at = 0; at < names.length; at++) {
                json.writeStringField(names[at], values[at]);
            }
            json.writeNumberField("source_partition", partition);
            for (int at = 0; at < counters.length; at++) {
                json.writeNumberField(counters[at], buffer.getLong(8 * at));
            }
            json.writeNumberField("version", version);
            json.writeEndObject();
        } catch (IOException error) {
            throw new IllegalStateException(error);
        }
        return bytes.toByteArray();
    }
}
