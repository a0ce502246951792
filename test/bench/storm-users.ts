// The accounts of the login storm: their password, and the password file that holds them.
import bcrypt from 'bcryptjs'

export const STORM_PASSWORD = 'storm'
const COST = 10

/** `count` lines `user<n>:<bcrypt hash>`. All share one hash, made once: a broker still has to check each of them. */
export function stormPasswordFile(count: number): string {
  const hash = bcrypt.hashSync(STORM_PASSWORD, COST)
  return Array.from({ length: count }, (_, index) => `user${index}:${hash}\n`).join('')
}
