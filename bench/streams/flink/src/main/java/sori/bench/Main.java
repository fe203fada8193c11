package sori.bench;

import java.util.concurrent.CompletableFuture;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.core.execution.CheckpointType;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.graph.StreamGraph;

/** Arguments: lean|windows, checkpoint interval in ms, state folder, records in the topic, records of the warm-up. */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) throws Exception {
        boolean lean = arguments[0].equals("lean");
        Progress.total = Long.parseLong(arguments[3]);
        Progress.warmup = Long.parseLong(arguments[4]);

        Configuration config = new Configuration();
        config.setString("state.backend.type", "hashmap");
        config.setString("execution.checkpointing.dir", "file://" + arguments[2] + "/checkpoints");
        config.setString("execution.checkpointing.interval", arguments[1] + " ms");
        config.setString("execution.checkpointing.mode", "AT_LEAST_ONCE");
        config.setString("pipeline.object-reuse", "true");
        config.setString("pipeline.generic-types", "false");
        config.setString("metrics.latency.interval", "0");
        config.setString("taskmanager.memory.managed.size", "0 b");
        config.set(RestOptions.BIND_PORT, "0");
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment(config);
        env.setParallelism(1);
        if (lean) {
            env.fromSource(Kafka.source(false), WatermarkStrategy.noWatermarks(), "events")
                    .transform("hop", TypeInformation.of(Rows.Row.class), new Hop())
                    .sinkTo(Kafka.sink());
        } else {
            Windows.build(env);
        }
        StreamGraph graph = env.getStreamGraph();
        MiniClusterConfiguration cluster = new MiniClusterConfiguration.Builder()
                .setConfiguration(config)
                .setNumTaskManagers(1)
                .setNumSlotsPerTaskManager(1)
                .build();
        MiniCluster mini = new MiniCluster(cluster);
        mini.start();
        JobID job = mini.submitJob(graph).get().getJobID();
        CompletableFuture<?> result = mini.requestJobResult(job).thenAccept(done -> {
            done.getSerializedThrowable().ifPresent(error -> {
                error.printStackTrace();
                Runtime.getRuntime().halt(1);
            });
        });
        while (!Progress.allProcessed()) {
            Thread.sleep(5);
        }
        if (lean) {
            // As soon as the last event is processed: rows acknowledged, state and offsets kept.
            mini.triggerCheckpoint(job, CheckpointType.FULL).get();
        } else {
            while (!result.isDone()) { // the bounded source ends, every window fires, one last checkpoint is due
                try {
                    mini.triggerCheckpoint(job, CheckpointType.FULL).get();
                } catch (Exception notNow) {
                    Thread.sleep(5);
                }
            }
        }
        Progress.mark("end", Progress.count);
        Runtime.getRuntime().halt(0); // what a clean stop costs is not what is measured
    }
}
