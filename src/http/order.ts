/**
 * A request of lines that says `strict` here has its lines stored in their order also through an
 * outage: behind a line whose outcome is unknown nothing is sent, and the rest is answered `unknown`.
 */
export const orderHeader = 'mlog-order';
