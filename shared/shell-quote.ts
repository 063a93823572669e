/** A word of a command line that is to be pasted. POSIX: nothing is special between single quotes but the quote itself. */
export function shellQuote(text: string): string {
  return /^[\w./-]+$/.test(text) && !text.startsWith("-") ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
