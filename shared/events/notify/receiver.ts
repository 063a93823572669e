import type { MailConfig } from "../../config/notify-config.ts";
import type { OutboundConfig } from "../http-request.ts";
import type { Fault } from "../send-twice.ts";
import type { Message } from "./message.ts";

/** A chat or a mailbox. */
export type Receiver = {
  readonly name: "chat" | "mail";
  /** How errors name it: a host. The rest of its address may be a secret. */
  readonly host: string;
  send(message: Message, where: string, signal: AbortSignal): Promise<Fault | undefined>;
};

export type NotifyConfig = OutboundConfig &
  MailConfig & {
    /** Webhooks, each as `readTarget` takes it. */
    readonly NOTIFY_URL?: readonly string[] | undefined;
    /** Types of events that are sent only if they are named here. */
    readonly NOTIFY_ON?: readonly string[] | undefined;
    readonly BACKUP_DIR: string;
    readonly POD_NAMESPACE?: string | undefined;
  };
