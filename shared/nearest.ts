const MOST = 3;
const LONGEST = 120;
const DAY = /\d{4}-\d{2}-\d{2}/;

/** Those names that `wanted` may have meant: of its day first, then by how few letters differ; of equals in their order. */
export function nearestNames(wanted: string, names: readonly string[]): readonly string[] {
  const day = DAY.exec(wanted)?.[0];
  const given = stripFolder(wanted);
  return names
    .map((name) => ({
      name,
      isOther: day === undefined || !name.includes(day),
      letters: editDistance(given, stripFolder(name)),
    }))
    .toSorted((a, b) => Number(a.isOther) - Number(b.isOther) || a.letters - b.letters)
    .slice(0, MOST)
    .map(({ name }) => name);
}

function stripFolder(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1).slice(0, LONGEST);
}

/** Levenshtein: how many letters to insert, delete or replace. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (const [index, letter] of Array.from(from).entries()) {
    const next = [index + 1];
    for (let at = 1; at <= to.length; at++) {
      const replaced = (row[at - 1] ?? 0) + (letter === to[at - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[at] ?? 0) + 1, (next[at - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
