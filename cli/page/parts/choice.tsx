type Props = {
  readonly name: string;
  readonly value: string;
  /** The empty one stands for all. */
  readonly values: readonly string[];
  readonly set: (value: string) => void;
};

export function Choice({ name, value, values, set }: Props) {
  return (
    <label>
      {name}
      <select value={value} onChange={(event) => set(event.currentTarget.value)}>
        {values.map((each) => (
          <option key={each} value={each}>
            {each === "" ? "all" : each}
          </option>
        ))}
      </select>
    </label>
  );
}
