// Work that anybody may ask for at any time, such as a reload, but not so often that nothing else is done.

/**
 * A function that has `action` done at once, or, when that was less than `pause` ms ago, as soon as so much time has passed: once,
 * however often it was asked for meanwhile.
 */
export function paced(action: () => void, pause: number): () => void {
  let isResting = false
  let isWanted = false
  const act = () => {
    isWanted = false
    try {
      action()
    } finally {
      isResting = true
      setTimeout(rested, pause).unref()
    }
  }
  const rested = () => {
    isResting = false
    if (isWanted) act()
  }
  return () => {
    isWanted = true
    if (!isResting) act()
  }
}
