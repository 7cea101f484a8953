"""A receiver that was not written for us: the reference library of Standard Webhooks verifies what came."""

import json, sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

given = json.load(sys.stdin)


def verified(secret, headers, body):
    try:
        return Webhook(secret).verify(body, headers) is not None
    except WebhookVerificationError as error:
        return str(error)


result = [verified(one["secret"], one["headers"], one["body"]) for one in given]
print(json.dumps(result))
