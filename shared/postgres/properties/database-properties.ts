import * as z from "zod";

/** A setting by name. */
export type Settings = Readonly<Record<string, string>>;

/** Stands in SQL as it is, where all else is quoted: others may write to the volume, and forge a manifest. */
const word = z.string().regex(/^[A-Za-z]+$/);

/** What belongs to a database beside its content, so that it can be made anew where it is gone. */
export const databasePropertiesSchema = z.looseObject({
  owner: z.string(),
  encoding: z.string(),
  /** `libc`, `icu` or `builtin`. */
  localeProvider: word,
  collate: z.string(),
  ctype: z.string(),
  /** Of a provider other than libc. */
  locale: z.string().optional(),
  icuRules: z.string().optional(),
  /** Of the operating system's or ICU's library by which its indexes of text were sorted. */
  collationVersion: z.string().optional(),
  tablespace: z.string(),
  connectionLimit: z.int(),
  isTemplate: z.boolean(),
  comment: z.string().optional(),
  /** Absent where no right was given or taken: the server's defaults. Without a grantee it is PUBLIC. */
  grants: z
    .array(z.looseObject({ grantee: z.string().optional(), privilege: word, grantable: z.boolean() }))
    .optional(),
  /** ALTER DATABASE ... SET, and with a role ALTER ROLE ... IN DATABASE ... SET; values as the server keeps them. */
  settings: z.array(z.looseObject({ role: z.string().optional(), name: z.string(), value: z.string() })),
  labels: z.array(z.looseObject({ provider: z.string(), label: z.string() })),
});

export type DatabaseProperties = z.infer<typeof databasePropertiesSchema>;

/** Roles without which a database cannot be made as these say. */
export function listRoles({ owner, grants = [], settings }: DatabaseProperties): string[] {
  const named = [owner, ...grants.map(({ grantee }) => grantee), ...settings.map(({ role }) => role)];
  return [...new Set(named.filter((role) => role !== undefined))];
}

type Setting = DatabaseProperties["settings"][number];
type WithSettings = { readonly name: string; readonly settings: readonly Setting[] };

/** Whether bytes are text of the encoding of their database: what is not has U+FFFD. */
export function isReadable(text: string): boolean {
  return !text.includes("\ufffd");
}

export function isText({ name, value }: Setting): boolean {
  return isReadable(name + value);
}

/** Whether a database of that encoding can have this comment. */
export function isItsText({ comment = "", encoding }: DatabaseProperties): boolean {
  return encoding === "UTF8" || isReadable(comment);
}

/** Settings, also of roles, and a comment that no manifest can hold and no restore gives again. */
export function lostTexts(properties: DatabaseProperties, roles: readonly WithSettings[] = []): string[] {
  const { settings, encoding } = properties;
  const ofRoles = roles.flatMap((role) => role.settings.map((each) => ({ ...each, role: role.name })));
  const lost = [...settings, ...ofRoles].filter((setting) => !isText(setting));
  const names = [
    ...lost.map(({ name, role }) => (role === undefined ? name : `${name} of role ${role}`)),
    ...(isItsText(properties) ? [] : ["the comment of the database"]),
  ];
  if (names.length === 0) return [];
  return [
    `what is no text of ${encoding === "SQL_ASCII" ? "UTF-8" : encoding} is not given to what is made anew: ${names.join(", ")}; ` +
      "give it again from a session in the database itself",
  ];
}
