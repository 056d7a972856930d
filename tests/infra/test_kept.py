"""What outlives a stack: the state's table and the bucket."""

from __future__ import annotations

import json

import pytest

from .templates import FUNCTIONS, of_type, resources, variables


def test_state_survives_its_stack():
    """Kept, protected, restorable; paid by the request; documents expire, the head does not."""
    stack = resources()["StateTable"]
    table = stack["Properties"]
    assert (stack["DeletionPolicy"], stack["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert table["DeletionProtectionEnabled"] is True
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}
    keys = [(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]]
    assert keys == [("pipeline", "HASH"), ("item", "RANGE")]


def test_a_state_that_was_kept_is_taken():
    """A table of a deleted stack, or one restored from a backup: nothing is made beside it, all
    use it, and its stream starts the finalizer."""
    arn = "arn:aws:dynamodb:eu-north-1:123456789012:table/kept/stream/2026-11-26T00:00:00.000"
    given = {"StateTableName": "kept", "StateTableStreamArn": arn}
    found = resources(**given)
    assert "StateTable" not in found and "StateTable" not in json.dumps(found), "it is used still"
    tables = {variables(name, **given)["TIDEGATE_TABLE"] for name in FUNCTIONS}
    assert tables == {"kept"}
    [mapping] = of_type("AWS::Lambda::EventSourceMapping", **given).values()
    assert mapping["EventSourceArn"] == arn
    for name in FUNCTIONS:
        policies = json.dumps(found[f"{name}Role"]["Properties"]["Policies"])
        assert ':table/kept"' in policies, name
    assert ":table/kept/stream/*" in json.dumps(found["FinalizerRole"])


def test_a_bucket_is_made_private_and_kept():
    """Or is there already, and nothing is done to it."""
    assert not {"DataBucket", "DataBucketPolicy"} & resources(CreateBucket="false").keys()
    stack = resources()["DataBucket"]
    bucket = stack["Properties"]
    kept = (stack["DeletionPolicy"], stack["UpdateReplacePolicy"])
    assert kept == ("RetainExceptOnCreate", "Retain")
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}


def test_only_what_is_staged_expires():
    """Data files, manifests and layouts stay; versions of them that somebody removed, a week."""
    lifecycle = resources(Prefix="raw/")["DataBucket"]["Properties"]["LifecycleConfiguration"]
    rules = {rule["Id"]: rule for rule in lifecycle["Rules"]}
    expiring = {rule["Id"]: rule["Prefix"] for rule in rules.values() if "ExpirationInDays" in rule}
    assert expiring == {"staging": "raw/_staging/"}
    assert rules["staging"]["ExpirationInDays"] == 30
    assert rules["staging"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}
    assert rules["former-versions"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 7}
    uploads = rules["unfinished-uploads"]["AbortIncompleteMultipartUpload"]
    assert uploads == {"DaysAfterInitiation": 1}


@pytest.mark.parametrize("key", ["", "arn:aws:kms:eu-central-1:123456789012:key/mine"])
def test_the_bucket_is_encrypted(key: str):
    """With a key of yours, or S3's."""
    bucket = resources(BucketKeyArn=key)["DataBucket"]["Properties"]
    [rule] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    by = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key} if key else {"SSEAlgorithm": "AES256"}
    assert rule["ServerSideEncryptionByDefault"] == by
