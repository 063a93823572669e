import { describeRefusal } from "../sink-fault.ts";
import type { OutboundConfig } from "../http-request.ts";
import { postTo, readTarget, type Target } from "./chat.ts";
import type { NotifyConfig, Receiver } from "./receiver.ts";

/** All that the configuration names; their libraries are loaded by the first message. */
export function listReceivers(config: NotifyConfig): readonly Receiver[] {
  const { NOTIFY_URL = [], NOTIFY_SMTP_URL: url } = config;
  const chats = NOTIFY_URL.flatMap((text) => readTarget(text) ?? []).map((target) => chat(target, config));
  return url === undefined ? chats : [...chats, mailbox(url, config)];
}

function chat({ kind, url, host }: Target, outbound: OutboundConfig): Receiver {
  return {
    name: "chat",
    host,
    async send(message, where, signal) {
      const { sendHttp } = await import("../http-request.ts");
      const { headers, body } = postTo(kind, message, where);
      return describeRefusal(await sendHttp(url, { method: "POST", headers, body }, { outbound }, signal));
    },
  };
}

function mailbox(url: string, config: NotifyConfig): Receiver {
  return {
    name: "mail",
    host: new URL(url).host,
    async send(message, where, signal) {
      const { sendMail } = await import("./mail.ts");
      return sendMail(config, message, where, signal);
    },
  };
}
