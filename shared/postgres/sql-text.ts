/** A name as SQL has it (https://www.postgresql.org/docs/current/sql-syntax-lexical.html). */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** What an identifier names: a manifest has names as SQL writes them. */
export function unquote(identifier: string): string {
  return identifier.startsWith('"') ? identifier.slice(1, -1).replaceAll('""', '"') : identifier;
}

/** The same as the server reads it: without quotes, A to Z are a to z. */
export function fold(identifier: string): string {
  return unquote(
    identifier.startsWith('"')
      ? identifier
      : identifier.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase()),
  );
}

/** Each backslash begins a byte in octal. */
const IN_OCTAL = /^[^\\]*(?:\\(?:134|[23][0-7]{2})[^\\]*)+$/;

/**
 * What a manifest has of a name: its text, or where its bytes (one character each) are none, as a database in SQL_ASCII may have
 * them, the bytes in octal, as SQL has them in E''. A text that reads like that is written so, too.
 */
export function notedName(bytes: string, text: string | undefined): string {
  if (text !== undefined && !IN_OCTAL.test(text)) return text;
  return bytes.replaceAll(/[\\\x80-\xff]/g, (byte) => `\\${byte.charCodeAt(0).toString(8)}`);
}

/** A literal of a name that a manifest has, for sessions in a database in the encoding of the dump. */
export function nameLiteral(name: string): string {
  const escaped = IN_OCTAL.test(name) ? name : name.replaceAll("\\", "\\\\");
  return `E'${escaped.replaceAll("'", "''")}'`;
}

/** A text as SQL has it, whatever standard_conforming_strings says. */
export function literal(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return quoted.includes("\\") ? ` E${quoted.replaceAll("\\", "\\\\")}` : quoted;
}
