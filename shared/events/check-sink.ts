import { good, type Check } from "../backup/finding.ts";
import { DormouseError } from "../errors.ts";

/** Whether something answers at K_SINK. OPTIONS changes nothing, and wakes what sleeps there. */
export function sinkCheck(url: string | undefined): Check {
  return {
    name: "sink",
    async look(signal) {
      if (url === undefined) {
        const fix = "apply the SinkBinding of manifests/base/schedule.yaml, and wait until it is ready";
        return [
          { state: "warning", detail: "K_SINK is not set: nobody hears of a backup, and nobody culls", fix },
        ];
      }
      const { host } = new URL(url);
      const answer = await fetch(url, { method: "OPTIONS", signal }).catch((error: unknown) => {
        throw new DormouseError("event_undelivered", `nothing answers at K_SINK ${host}`, {
          hint: "check what the SinkBinding names, and whether that is ready",
          cause: error,
        });
      });
      await answer.body?.cancel();
      if (answer.status < 500) return [good(`${host} answers`)];
      return [{ state: "fault", detail: `${host} answers with ${answer.status}`, fix: "look at its pods" }];
    },
  };
}
