// How long the tests in this folder take: `npm run soak` gives them minutes, `npm test` about one.

export const isLong = process.env.TSMQ_SOAK === 'long'
