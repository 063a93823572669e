import { validateHeaderName, validateHeaderValue } from "node:http";
import * as z from "zod/mini";
import { invalidConfiguration, variable } from "./config.ts";
import { httpUrl, text } from "./rules.ts";

const webhooks = z.pipe(
  z.pipe(
    z.string(),
    z.transform((list: string) => list.split(/\s+/).filter((each) => each !== "")),
  ),
  z
    .array(
      z.string().check(
        z.regex(
          /^(?:(?:slack|mattermost|rocketchat|teams|discord|googlechat|ntfy|json)\+)?https?:\/\/[^\s/]+/,
        ),
        z.refine((target) => URL.canParse(target.replace(/^[a-z]+\+/, ""))),
      ),
    )
    .check(z.minLength(1)),
);

/** Events that become a message only where NOTIFY_ON names them: `RULES` of the messages has the same. */
const ASKED = [
  "dev.dormouse.rehearsal.completed",
  "dev.dormouse.backup.completed",
  "dev.dormouse.cull.completed",
] as const;
const SEPARATED = /\s*,\s*/;

function separated<Each extends z.core.$ZodType<unknown, string>>(each: Each) {
  return z.pipe(
    z.pipe(
      z.string(),
      z.transform((list: string) => list.trim().split(SEPARATED)),
    ),
    z.array(each),
  );
}

/** https://opentelemetry.io/docs/specs/otel/protocol/exporter/#specifying-headers-via-environment-variables */
const headers = z.pipe(
  z.string().check(z.refine((list) => readHeaders(list) !== undefined)),
  z.transform((list: string) => readHeaders(list) ?? {}),
);

function readHeaders(list: string): Readonly<Record<string, string>> | undefined {
  try {
    return Object.fromEntries(list.split(",").map(readHeader));
  } catch {
    return undefined;
  }
}

/** Throws for what no request can bear: found now, and not when the first run has ended. */
function readHeader(pair: string): readonly [name: string, value: string] {
  const [, name = "", value = ""] = /^([^=]*)=(.*)$/s.exec(pair) ?? [];
  const header = [decodeURIComponent(name.trim()), decodeURIComponent(value.trim())] as const;
  validateHeaderName(header[0]);
  validateHeaderValue(...header);
  return header;
}

const address = z.string().check(z.regex(/^[^\s@<>,]+@[^\s@<>,]+$/));

/** Where a function sends messages by itself, without a broker. */
export const notifyVariables = {
  NOTIFY_URL: variable(z.optional(webhooks), {
    description:
      "Webhooks that get a message about failures, stale and suspect backups, and restores. The kind is known by the host, or said as in `mattermost+https://chat.example.com/hooks/abc`; all else gets plain JSON. Set it to get messages without a broker: [notifications.md](notifications.md).",
    allowed: "URLs of webhooks, separated by white space",
    isSecret: true,
  }),
  NOTIFY_SMTP_URL: variable(z.optional(z.url({ protocol: /^smtps?$|^smtp\+plain$/ })), {
    description:
      "Mail server that takes the same messages: `smtps://` speaks TLS at once, `smtp://` after STARTTLS, which is required; `smtp+plain://` never, for a relay inside of the cluster. Goes with `NOTIFY_MAIL_TO` and `NOTIFY_MAIL_FROM`.",
    allowed: "a URL like `smtps://user:password@mail.example.com`, with the password percent-encoded",
    isSecret: true,
  }),
  NOTIFY_MAIL_TO: variable(z.optional(separated(address)), {
    description: "To whom those mails go.",
    allowed: "mail addresses, separated by commas",
  }),
  NOTIFY_MAIL_FROM: variable(z.optional(address), {
    description: "From whom they come; many servers take only the address of the account.",
    allowed: "a mail address",
  }),
  NOTIFY_ON: variable(z.optional(separated(z.enum(ASKED))), {
    description:
      "Events that become a message as well. Set it where a message each night is wanted; a monitor at `HEARTBEAT_URL` notices more.",
    allowed: `a comma-separated list of ${ASKED.join(", ")}`,
  }),
  PUSHGATEWAY_URL: variable(z.optional(httpUrl), {
    description:
      "Pushgateway that takes the metrics of each run when it ends. Set it to graph backups and to be alarmed by Prometheus: [metrics.md](metrics.md).",
    allowed: "an http or https URL",
    isSecret: true,
  }),
  OTEL_EXPORTER_OTLP_ENDPOINT: variable(z.optional(httpUrl), {
    description:
      "OpenTelemetry collector that takes a trace of each run when it has ended, by OTLP over HTTP. Set it to see where the time of a run goes: [notifications.md](notifications.md#traces).",
    allowed: "the http or https URL below which its /v1/traces is",
    isSecret: true,
  }),
  OTEL_EXPORTER_OTLP_HEADERS: variable(z.optional(headers), {
    description: "What it is sent besides, like a token.",
    allowed: "`name=value`, percent-encoded and separated by commas, as OpenTelemetry has it",
    isSecret: true,
  }),
  HEARTBEAT_URL: variable(
    z.optional(
      z.pipe(
        text,
        z.pipe(
          z.transform((url: string) => url.replaceAll("{database}", "%7Bdatabase%7D")),
          httpUrl,
        ),
      ),
    ),
    {
      description:
        "A monitor that expects the start, the success or the failure of each run. `{database}` in it becomes the run's database. Set it to notice that nothing runs at all.",
      allowed: "an http or https URL",
      isSecret: true,
    },
  ),
};

export type MailConfig = {
  readonly NOTIFY_SMTP_URL?: string | undefined;
  readonly NOTIFY_MAIL_TO?: readonly string[] | undefined;
  readonly NOTIFY_MAIL_FROM?: string | undefined;
};

/** Throws `configuration_invalid` for what does not fit together. */
export function checkMail({ NOTIFY_SMTP_URL: url, NOTIFY_MAIL_TO: to, NOTIFY_MAIL_FROM: from }: MailConfig) {
  const given = [url, to, from].filter((each) => each !== undefined).length;
  if (given !== 0 && given !== 3)
    throw invalidConfiguration(
      "NOTIFY_SMTP_URL, NOTIFY_MAIL_TO and NOTIFY_MAIL_FROM go together: one of them is not set",
    );
  if (url?.startsWith("smtp+plain:") && new URL(url).username !== "")
    throw invalidConfiguration(
      "NOTIFY_SMTP_URL would send its password without TLS: give smtps:// or smtp://",
    );
  if (url !== undefined && !isDecodable(new URL(url)))
    throw invalidConfiguration(
      "NOTIFY_SMTP_URL has a user or password that is not percent-encoded: % must be %25",
    );
}

function isDecodable({ username, password }: URL): boolean {
  try {
    decodeURIComponent(username + password);
    return true;
  } catch {
    return false;
  }
}
