// Times a few layers and the head of a model for `rhone plan`, without a cluster.
import { type CalibrationAnswer, type CalibrationOrder, serviceMain } from "@rhone/common";
import { calibrationSettings, openCalibration } from "./calibration/open-calibration.js";

const answer = (message: CalibrationAnswer): void => void process.send?.(message);

await serviceMain({ service: "calibration", settings: calibrationSettings }, async (config, { shutdown }) => {
  const shard = await openCalibration(config, shutdown);
  process.on("message", async ({ rows }: CalibrationOrder) => {
    answer({ kind: "measured", stepTimes: await shard.measure(rows) });
  });
  answer({ kind: "loaded" });
});
