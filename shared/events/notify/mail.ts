import { createTransport } from "nodemailer";
import { trusted, tunnelTo, type OutboundConfig } from "../http-request.ts";
import { unlessAborted } from "../../waiting.ts";
import type { Fault } from "../send-twice.ts";
import { headOf, type Message } from "./message.ts";
import type { NotifyConfig } from "./receiver.ts";

const TIMEOUT_MS = 5_000;

/**
 * One mail in plain text. `smtps` speaks TLS from the first byte and `smtp` after STARTTLS, which the server must offer
 * (RFC 8314, 3); `smtp+plain` is for a relay that has none, and takes no password along.
 */
export async function sendMail(
  config: NotifyConfig,
  message: Message,
  where: string,
  signal: AbortSignal,
): Promise<Fault | undefined> {
  const { NOTIFY_SMTP_URL = "", NOTIFY_MAIL_FROM: from, NOTIFY_MAIL_TO: to = [] } = config;
  const transport = createTransport(
    transportOptions(new URL(NOTIFY_SMTP_URL), await trusted(config), config),
  );
  try {
    const subject = headOf(message, where);
    const text = `${[subject, "", ...message.lines].join("\n")}\n`;
    const { rejected } = await unlessAborted(
      transport.sendMail({ from, to: [...to], subject, text }),
      signal,
    );
    return rejected.length === 0
      ? undefined
      : { why: `${rejected.length} of ${to.length} addresses were refused`, mayPass: false };
  } catch (error) {
    return describeFault(error);
  } finally {
    transport.close();
  }
}

function transportOptions(url: URL, tls: object, outbound: OutboundConfig) {
  const { protocol, hostname, username, password } = url;
  const isSecure = protocol === "smtps:";
  const isPlain = protocol === "smtp+plain:";
  const host = hostname.replace(/^\[|\]$/g, "");
  const port = Number(url.port) || (isSecure ? 465 : isPlain ? 25 : 587);
  // A relay without TLS is one of the cluster.
  const proxy = isPlain ? undefined : tunnelTo(host, port, outbound);
  return {
    host,
    port,
    ...(proxy === undefined ? {} : { proxy }),
    secure: isSecure,
    requireTLS: protocol === "smtp:",
    ignoreTLS: isPlain,
    ...(username === ""
      ? {}
      : { auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) } }),
    tls,
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
    // Nothing but the text above is in a mail.
    disableFileAccess: true,
    disableUrlAccess: true,
  } as const;
}

/** A server's answer may quote what was sent: its number says enough. */
function describeFault(error: unknown): Fault {
  if (!(error instanceof Error)) return { why: String(error), mayPass: true };
  const { code, responseCode } = error as { readonly code?: unknown; readonly responseCode?: unknown };
  if (typeof responseCode === "number")
    return { why: `status ${responseCode} (${String(code)})`, mayPass: responseCode < 500 };
  return { why: error.message, mayPass: true };
}
