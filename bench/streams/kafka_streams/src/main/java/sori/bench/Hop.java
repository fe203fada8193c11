package sori.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.WindowStore;

/**
 * Hop 1 without its rules: dedupe, then campaign, device and place windows, in one pass over a partition keyed by device.
 *
 * Rows are partial sums of their source partition, as ours are, so nothing has to be repartitioned.
 */
final class Hop implements Processor<byte[], byte[], byte[], byte[]> {
    static final long PANE_MS = 10_000;
    static final long WINDOW_MS = 60_000;
    static final long LATENESS_MS = 600_000;
    static final long MAX_SKEW_MS = 300_000;
    private static final long FLUSH_NS = 1_000_000_000L;
    private static final byte[] SEEN = {1};
    private static final String[] CAMPAIGN_DIMS = {
        "account_id", "campaign_id", "material_id", "platform", "country", "region", "city"
    };
    private static final String[] DEVICE_DIMS = {"account_id", "device_id"};
    private static final String[] PLACE_DIMS = {"account_id", "country", "region", "city"};

    private final Progress progress;
    private ProcessorContext<byte[], byte[]> context;
    private WindowStore<String, byte[]> seen;
    private Windows campaigns;
    private Windows devices;
    private Windows places;
    private long watermark = Long.MIN_VALUE / 2;
    private long nextOffset;
    private long flushedAt = System.nanoTime();
    private boolean dirty;

    Hop(Progress progress) {
        this.progress = progress;
    }

    @Override
    public void init(ProcessorContext<byte[], byte[]> given) {
        context = given;
        int partition = context.taskId().partition();
        seen = context.getStateStore("seen");
        String[] shown = {"impressions", "clicks"};
        String[] done = {"impressions", "clicks", "authentications"};
        campaigns = new Windows("ctr", CAMPAIGN_DIMS, shown, WINDOW_MS, partition, context.getStateStore("ctr-windows"));
        devices = new Windows("device", DEVICE_DIMS, done, WINDOW_MS, partition, context.getStateStore("device-windows"));
        places = new Windows("place", PLACE_DIMS, shown, PANE_MS, partition, context.getStateStore("place-windows"));
        context.schedule(Duration.ofMillis(20), PunctuationType.WALL_CLOCK_TIME, now -> flushWhenDue());
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
        try {
            apply(record);
        } catch (IOException error) {
            throw new IllegalStateException(error); // the corpus holds none
        }
        nextOffset = context.recordMetadata().orElseThrow().offset() + 1;
        dirty = true;
        progress.processed();
    }

    private void apply(Record<byte[], byte[]> record) throws IOException {
        Event event = Event.parse(record.value());
        long time = event.createdMs;
        if (time > record.timestamp() + MAX_SKEW_MS) {
            return;
        }
        watermark = Math.max(watermark, time);
        if (time - time % WINDOW_MS + WINDOW_MS <= watermark - LATENESS_MS) {
            return;
        }
        Header header = record.headers().lastHeader("identity");
        String identity = header == null ? event.activity : new String(header.value(), StandardCharsets.UTF_8);
        String id = event.account + Windows.SEPARATOR + event.event + Windows.SEPARATOR + identity;
        long pane = time - time % PANE_MS;
        if (seen.fetch(id, pane) != null) {
            return;
        }
        seen.put(id, SEEN, pane);
        count(event, time);
    }

    private void count(Event event, long time) {
        boolean click = event.event.equals("campaign.click");
        boolean campaign = click || event.event.equals("campaign.impression");
        int counter = click ? 1 : campaign ? 0 : 2;
        if (!event.device.isEmpty()) {
            devices.count(event.account + Windows.SEPARATOR + event.device, time, counter);
        }
        if (campaign) {
            String place = event.country + Windows.SEPARATOR + event.region + Windows.SEPARATOR + event.city;
            String[] dims = {event.account, event.campaign, event.material, event.platform, place};
            campaigns.count(String.join(Windows.SEPARATOR, dims), time, counter);
            places.count(event.account + Windows.SEPARATOR + place, time, counter);
        }
    }

    /** Publish once a second and at the end; the commit follows at once, so what it covers is published. */
    private void flushWhenDue() {
        if (!dirty || (System.nanoTime() - flushedAt < FLUSH_NS && !progress.allProcessed())) {
            return;
        }
        campaigns.publish(context, nextOffset, watermark);
        devices.publish(context, nextOffset, watermark);
        places.publish(context, nextOffset, watermark);
        context.commit();
        flushedAt = System.nanoTime();
        dirty = false;
    }
}
