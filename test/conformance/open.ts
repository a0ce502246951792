// TABLE of the rows that still wait for a test or for the tag on the line that keeps them, by the area that owes it. A row that
// has got what it waited for must leave the table.

export interface Open {
  readonly area: string
  /** Ids that no test name carries yet. */
  readonly tests: readonly string[]
  /** Statements that no line of src carries yet. */
  readonly tags: readonly string[]
}

export const open: readonly Open[] = []
