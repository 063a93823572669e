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

/** A text as SQL has it, whatever standard_conforming_strings says. */
export function literal(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return quoted.includes("\\") ? ` E${quoted.replaceAll("\\", "\\\\")}` : quoted;
}
