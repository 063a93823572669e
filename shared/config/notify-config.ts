import * as z from "zod/mini";
import { variable } from "./config.ts";
import { httpUrl } from "./rules.ts";

const webhooks = z.pipe(
  z.pipe(
    z.string(),
    z.transform((list: string) => list.split(/\s+/).filter((each) => each !== "")),
  ),
  z
    .array(
      z
        .string()
        .check(
          z.regex(
            /^(?:(?:slack|mattermost|rocketchat|teams|discord|googlechat|ntfy|json)\+)?https?:\/\/[^\s/]+/,
          ),
        ),
    )
    .check(z.minLength(1)),
);

/** Where a function sends messages by itself, without a broker. */
export const notifyVariables = {
  NOTIFY_URL: variable(z.optional(webhooks), {
    description:
      "Webhooks that are told of failures, stale and suspect backups, and restores. The kind is known by the host, or said as in `mattermost+https://chat.example.com/hooks/abc`; all else gets plain JSON. Set it to be told without a broker: [telling.md](telling.md).",
    allowed: "URLs of webhooks, separated by white space",
    isSecret: true,
  }),
  HEARTBEAT_URL: variable(z.optional(httpUrl), {
    description:
      "A monitor that expects to hear of each run: of its start, its success, its failure. Set it to be told when nothing runs at all.",
    allowed: "an http or https URL",
    isSecret: true,
  }),
};
