package sori.bench;

import java.time.Duration;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.StateTtlConfig;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeHint;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;
import org.apache.flink.util.OutputTag;

/** The way of the documentation: keyed dedupe, keyed event-time windows, a row when a window closes. */
final class Windows {
    private Windows() {}

    private static final TypeInformation<Tuple3<Integer, String, Integer>> PART =
            TypeInformation.of(new TypeHint<Tuple3<Integer, String, Integer>>() {});
    private static final TypeInformation<long[]> LONGS = TypeInformation.of(long[].class);
    private static final OutputTag<Tuple3<Integer, String, Integer>> SHORT = new OutputTag<>("place", PART);

    static void build(StreamExecutionEnvironment env) {
        WatermarkStrategy<Event> clock = WatermarkStrategy.<Event>forBoundedOutOfOrderness(Duration.ofSeconds(10))
                .withTimestampAssigner((event, ignored) -> event.createdMs);
        SingleOutputStreamOperator<Tuple3<Integer, String, Integer>> parts = env
                .fromSource(Kafka.source(true), clock, "events")
                .keyBy(Event::identity)
                .process(new FirstSeen());
        counted(parts, 60_000).sinkTo(Kafka.sink());
        counted(parts.getSideOutput(SHORT), 10_000).sinkTo(Kafka.sink());
    }

    /** Once per identity; what each kind of window counts goes on as (kind, dimensions, counter). */
    static final class FirstSeen extends KeyedProcessFunction<String, Event, Tuple3<Integer, String, Integer>> {
        private transient ValueState<Boolean> seen;

        @Override
        public void open(OpenContext context) {
            ValueStateDescriptor<Boolean> made = new ValueStateDescriptor<>("seen", Types.BOOLEAN);
            made.enableTimeToLive(StateTtlConfig.newBuilder(Duration.ofMinutes(12)).build());
            seen = getRuntimeContext().getState(made);
        }

        @Override
        public void processElement(Event event, Context context, Collector<Tuple3<Integer, String, Integer>> out)
                throws Exception {
            if (seen.value() != null) {
                return;
            }
            seen.update(Boolean.TRUE);
            int counter = event.counter();
            if (!event.device.isEmpty()) {
                out.collect(Tuple3.of(1, event.deviceKey(), counter));
            }
            if (counter < 2) {
                out.collect(Tuple3.of(0, event.campaignKey(), counter));
                context.output(SHORT, Tuple3.of(2, event.placeKey(), counter));
            }
        }
    }

    private static DataStream<Rows.Row> counted(DataStream<Tuple3<Integer, String, Integer>> parts, long length) {
        return parts.keyBy(part -> part.f1) // a device's key has one separator, a campaign's six: they cannot meet
                .window(TumblingEventTimeWindows.of(Duration.ofMillis(length)))
                .allowedLateness(Duration.ofMinutes(10))
                .aggregate(new Count(), new AsRow(), LONGS, LONGS, TypeInformation.of(Rows.Row.class));
    }

    /** impressions, clicks, authentications, kind */
    static final class Count implements AggregateFunction<Tuple3<Integer, String, Integer>, long[], long[]> {
        @Override
        public long[] createAccumulator() {
            return new long[4];
        }

        @Override
        public long[] add(Tuple3<Integer, String, Integer> part, long[] counts) {
            counts[part.f2]++;
            counts[3] = part.f0;
            return counts;
        }

        @Override
        public long[] getResult(long[] counts) {
            return counts;
        }

        @Override
        public long[] merge(long[] one, long[] other) {
            for (int at = 0; at < 3; at++) {
                one[at] += other[at];
            }
            return one;
        }
    }

    static final class AsRow extends ProcessWindowFunction<long[], Rows.Row, String, TimeWindow> {
        @Override
        public void process(String key, Context context, Iterable<long[]> all, Collector<Rows.Row> out) {
            for (long[] counts : all) {
                int kind = (int) counts[3];
                long start = context.window().getStart();
                // allowed lateness fires again with more: the larger sum is the newer row
                long version = counts[0] + counts[1] + counts[2];
                out.collect(new Rows.Row(kind, key, Rows.json(kind, key, start, counts, version)));
            }
        }
    }
}
