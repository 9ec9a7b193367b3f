#!/bin/sh
# curl: secrets both ways, introspection, revocation, errors.
set -eu

# $(member NAME): a string member of the JSON object on standard input.
member() { sed -n 's/.*"'"$1"'":"\([^"]*\)".*/\1/p'; }
endpoint() { curl -fsS "$ISSUER/.well-known/oauth-authorization-server" | member "$1_endpoint"; }
is() { [ "$1" = "$2" ] || { echo "$1 instead of $2" >&2 && exit 1; }; }

token_endpoint=$(endpoint token)
introspection_endpoint=$(endpoint introspection)
revocation_endpoint=$(endpoint revocation)

# RFC 6749 §2.3.1: what goes into the Basic header is form-encoded first. Every byte as %XX is that, too.
encode() { printf %s "$1" | od -An -v -tx1 | tr -d '\n' | tr ' ' %; }

# $(ask WAY ID SECRET URL MORE…)
ask() {
    way=$1 id=$2 secret=$3 url=$4
    shift 4
    case $way in
        basic) curl -sS -u "$(encode "$id"):$(encode "$secret")" "$@" "$url" ;;
        post) curl -sS --data-urlencode "client_id=$id" --data-urlencode "client_secret=$secret" "$@" "$url" ;;
    esac
}
grant() { ask "$1" "$2" "$3" "$token_endpoint" -d grant_type=client_credentials -d scope="$4"; }
call() { curl -sS -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $1" "$API?by=$2"; }

# goes_all_the_way CASE WAY ID SECRET
goes_all_the_way() {
    case=$1 way=$2 id=$3 secret=$4
    token=$(grant "$way" "$id" "$secret" read | member access_token)
    is "$(call "$token" "$case")" 200
    is "$(ask "$way" "$id" "$secret" "$introspection_endpoint" -d token="$token" | member client_id)" "$id"
    is "$(ask "$way" "$id" "$secret" "$revocation_endpoint" -d token="$token")" '{}'
    is "$(call "$token" "$case-revoked")" 401
    is "$(ask "$way" "$id" "$secret" "$introspection_endpoint" -d token="$token")" '{"active":false}'
}

for way in basic post; do
    goes_all_the_way "curl-$way" "$way" "$CLIENT_ID" "$CLIENT_SECRET"
    goes_all_the_way "curl-special-$way" "$way" "$SPECIAL_ID" "$SPECIAL_SECRET"
    is "$(grant "$way" "$CLIENT_ID" wrong read | member error)" invalid_client
    is "$(grant "$way" "$CLIENT_ID" "$CLIENT_SECRET" no-such | member error)" invalid_scope
done
