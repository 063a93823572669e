/** Of a line of a message. */
const MOST_CHARACTERS = 500;
const BREAKS = /[\p{Cc}\p{Cf}\u2028\u2029]+/gu;

/** Names, and errors that quote them, are others' words: a line break in them begins no line, and none is endless. */
export function oneLine(text: string): string {
  const line = text.replaceAll(BREAKS, " ");
  return line.length > MOST_CHARACTERS ? `${line.slice(0, MOST_CHARACTERS)}...` : line;
}
