import { headOf, type Message } from "./message.ts";

const KINDS = [
  "slack",
  "mattermost",
  "rocketchat",
  "teams",
  "discord",
  "googlechat",
  "ntfy",
  "json",
] as const;
export type ChatKind = (typeof KINDS)[number];
export type Target = { readonly kind: ChatKind; readonly url: string; readonly host: string };
type Post = { readonly headers: Readonly<Record<string, string>>; readonly body: string };

const HOSTS: readonly (readonly [host: RegExp, kind: ChatKind])[] = [
  [/^hooks\.slack(?:-gov)?\.com$/, "slack"],
  [/(?:^|\.)discord(?:app)?\.com$/, "discord"],
  [/^chat\.googleapis\.com$/, "googlechat"],
  [/\.logic\.azure\.com$|\.powerplatform\.com$|\.webhook\.office\.com$/, "teams"],
  [/(?:^|\.)ntfy\.sh$/, "ntfy"],
];

/**
 * A webhook by its URL: the kind is known by the host, or said before the scheme as in `mattermost+https://...`. All else
 * gets plain JSON. `undefined` for what is no http or https URL.
 */
export function readTarget(text: string): Target | undefined {
  const [, said, address = ""] = /^(?:([a-z]+)\+)?(https?:\/\/.+)$/s.exec(text) ?? [];
  if (!URL.canParse(address)) return undefined;
  const { host, hostname } = new URL(address);
  const kind = KINDS.find((each) => each === said) ?? HOSTS.find(([known]) => known.test(hostname))?.[1];
  if (said !== undefined && kind !== said) return undefined;
  return { kind: kind ?? "json", url: address, host };
}

type Text = { readonly head: string; readonly lines: readonly string[]; readonly isTrouble: boolean };

const plain = ({ head, lines }: Text) => [head, ...lines].join("\n");
const asText = (text: Text) => json({ text: cut(unmarked(plain(text))) });

/** With it inside, a mention (`@all`, `<users/all>`) and a link under another text (`[here](https://...)`) are none. */
const ZERO_WIDTH_SPACE = "\u200B";
const MARKUP = /[@<]|\](?=\()/g;

/** Where no escape is known that every client of a chat reads. */
function unmarked(text: string): string {
  return text.replaceAll(MARKUP, (each) => `${each}${ZERO_WIDTH_SPACE}`);
}

/** What Google Chat and ntfy take at once; the others take more. */
const MOST_BYTES = 4_000;

function cut(text: string): string {
  const bytes = Buffer.from(text);
  return bytes.length <= MOST_BYTES
    ? text
    : `${bytes
        .subarray(0, MOST_BYTES)
        .toString()
        .replace(/\uFFFD$/, "")}...`;
}

/** What each takes, after its documentation. */
const POSTS: Readonly<Record<ChatKind, (text: Text) => Post>> = {
  slack: (text) =>
    json({ text: plain(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;") }),
  mattermost: asText,
  rocketchat: asText,
  googlechat: asText,
  teams: ({ head, lines }) => json(adaptiveCard(head, lines)),
  // 2,000 characters are all that it takes.
  discord: (text) =>
    json({ content: unmarked(plain(text)).slice(0, 2_000), allowed_mentions: { parse: [] } }),
  ntfy: ({ head, lines, isTrouble }) => ({
    headers: {
      "content-type": "text/plain; charset=utf-8",
      title: ascii(head),
      priority: isTrouble ? "high" : "default",
    },
    body: cut(lines.join("\n")),
  }),
  json: ({ head, lines, isTrouble }) =>
    json({ title: head, body: lines.join("\n"), type: isTrouble ? "failure" : "info" }),
};

/** The request body of a message; `where` is the namespace, as far as it is known. */
export function postTo(kind: ChatKind, message: Message, where: string): Post {
  const { lines, isTrouble } = message;
  return POSTS[kind]({ head: headOf(message, where), lines, isTrouble });
}

function json(value: object): Post {
  return { headers: { "content-type": "application/json" }, body: JSON.stringify(value) };
}

function adaptiveCard(head: string, lines: readonly string[]) {
  const block = (text: string, more: object = {}) => ({
    type: "TextBlock",
    text: unmarked(text),
    wrap: true,
    ...more,
  });
  const content = {
    $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
    type: "AdaptiveCard",
    version: "1.4",
    body: [block(head, { weight: "Bolder" }), ...lines.map((line) => block(line))],
  };
  return {
    type: "message",
    attachments: [{ contentType: "application/vnd.microsoft.card.adaptive", content }],
  };
}

/** A header holds no line breaks, and ntfy reads Latin letters there. */
function ascii(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, "?");
}
