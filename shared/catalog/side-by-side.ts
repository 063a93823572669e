/** The results in the order of `entries`, of which no more than `count` are worked on at once. */
export async function sideBySide<Entry, Result>(
  entries: readonly Entry[],
  count: number,
  work: (entry: Entry) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  for (let at = 0; at < entries.length; at += count)
    results.push(...(await Promise.all(entries.slice(at, at + count).map(work))));
  return results;
}
