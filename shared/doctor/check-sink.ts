import { good, type Check } from "./finding.ts";
import { DormouseError } from "../errors.ts";
import type { SinkConfig } from "../events/sink-config.ts";
import { describeFailure, describeRefusal } from "../events/sink-fault.ts";
import type { HttpAnswer } from "../events/http-request.ts";

/**
 * Whether something answers at K_SINK, asked as an event is sent. OPTIONS changes nothing, and wakes what sleeps there;
 * what takes events may refuse it with any 4xx.
 */
export function sinkCheck(config: SinkConfig): Check {
  return {
    name: "sink",
    async run(signal) {
      const { K_SINK } = config;
      if (K_SINK === undefined) {
        const fix = "apply the SinkBinding of manifests/base/schedule.yaml, and wait until it is ready";
        return [
          {
            state: "warning",
            detail: "K_SINK is not set: no event is sent, and a completed backup starts no cull",
            fix,
          },
        ];
      }
      const { host } = new URL(K_SINK);
      const answer = await asked(config, host, signal);
      const fault = describeRefusal(answer);
      if (fault === undefined || (answer.status >= 400 && answer.status < 500))
        return [good(`${host} answers`)];
      return [{ state: "fault", detail: `no event reaches ${host}: ${fault.why}`, fix: fault.hint }];
    },
  };
}

async function asked(config: SinkConfig, host: string, signal: AbortSignal): Promise<HttpAnswer> {
  const { sendToSink } = await import("../events/sink-request.ts");
  try {
    return await sendToSink(config, { method: "OPTIONS", headers: {} }, signal);
  } catch (error) {
    signal.throwIfAborted();
    const { why, hint } = describeFailure(error);
    throw new DormouseError("event_undelivered", `nothing answers at K_SINK ${host}: ${why}`, {
      hint,
      cause: error,
    });
  }
}
