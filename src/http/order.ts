/**
 * A bulk request with the value `strict` in this header has its lines stored in order, even through
 * an outage: after a line with an unknown outcome nothing is sent, and the rest is answered
 * `unknown`.
 */
export const orderHeader = 'mlog-order';
